"""How gunicorn serves the web app.

    gunicorn --config python:lookalike.web.gunicorn lookalike.web.wsgi:app

Processes because each embeds the pictures that people search with; threads because most of a
request is waiting, for an upload's bytes, for SQL or for vectors.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from typing import Any

from gunicorn.config import Config
from gunicorn.glogging import Logger

from lookalike.services.db import parsed_url
from lookalike.services.errors import LookalikeError
from lookalike.services.logs import formatter
from lookalike.services.settings import read_settings

# Set before anything of Prometheus is imported: it decides then whether processes add up.
own_folder: str | None = None
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    own_folder = tempfile.mkdtemp(prefix="lookalike-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = own_folder

try:
    settings = read_settings()
    settings.check_reachable()
    settings.check_servers()
    parsed_url(settings.sql_url)  # else each process fails over it, with a trace
except LookalikeError as error:
    print(f"lookalike: {error.message}", file=sys.stderr)  # noqa: T201  nobody else tells
    sys.exit(2)

bind = [f"{settings.host}:{settings.port}"]
workers = settings.web_processes
worker_class = "gthread"
threads = settings.web_threads
# A thread that waits does not count; this only ends a process that is stuck as a whole.
timeout = 60
# Longer than any request but a slow upload, which its sender repeats.
graceful_timeout = 30
# Behind a proxy connections are reused; without one, browsers hold a few.
keepalive = 15
# Signs of life go through a file, and a disk that hangs must not look like a process that does.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: PTH112, S108
# The longest line that it can be told to take: pages watch up to 200 pictures by id in one call.
limit_request_line = 8190
control_socket_disable = True
# Each process opens its own connections: those of a parent do not survive a fork.
preload_app = False


class logger_class(Logger):  # type: ignore[misc]  # noqa: N801  gunicorn's name, and no types
    """gunicorn's own lines, in the form of all others."""

    def setup(self, cfg: Config) -> None:
        """As usual, but for the form."""
        super().setup(cfg)
        for log in (self.error_log, self.access_log):
            for handler in log.handlers:
                handler.setFormatter(formatter(settings.log_format))


def post_worker_init(worker: Any) -> None:
    """Let each process tell the memory of all."""
    from lookalike.web.context import EXTENSION  # noqa: PLC0415  see the folder above

    worker.wsgi.extensions[EXTENSION].resources.count_from(worker.ppid)


def child_exit(_server: Any, worker: Any) -> None:
    """Let the metrics of the processes that are left stand alone."""
    from prometheus_client import multiprocess  # noqa: PLC0415  see the folder above

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: Any) -> None:
    """Leave no folder behind that somebody else did not make."""
    if own_folder is not None:
        shutil.rmtree(own_folder, ignore_errors=True)

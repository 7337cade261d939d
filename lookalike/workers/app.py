"""The app for Celery's own command line: `celery -A lookalike.workers.app worker` (and `beat`).

The platform is put together before a worker takes its first task; `beat` only sends messages and
never needs it. A worker or beat that cannot do its work says why and ends, so that whoever started
it knows: Celery by itself would go on, with every task failing.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import structlog
from celery.signals import setup_logging, worker_init, worker_shutdown

from lookalike.services.bootstrap import bootstrap_patiently
from lookalike.services.errors import UnavailableError
from lookalike.services.logs import configure_logs
from lookalike.services.metrics import serve_metrics
from lookalike.services.platform import Platform
from lookalike.services.priority import step_back
from lookalike.services.settings import Settings, read_settings
from lookalike.workers.factory import create_app
from lookalike.workers.starting import ending_on_failure, refuse_forks

log = structlog.get_logger(__name__)


def _settings() -> Settings:
    read = read_settings()
    read.check_servers()  # on a queue in its own memory it would wait for tasks for ever
    return read


with ending_on_failure():
    settings = _settings()
    configure_logs(settings.log_level, settings.log_format)  # Celery asks only once it has begun


@cache
def platform() -> Platform:
    """The services of this process, put together before the first task comes in."""
    return bootstrap_patiently(settings, background=True)


app = create_app(settings, platform)


@setup_logging.connect  # type: ignore[untyped-decorator]  # the library has no types
def _set_up_logging(**_facts: Any) -> None:
    configure_logs(settings.log_level, settings.log_format)


@worker_init.connect  # type: ignore[untyped-decorator]
def _start(sender: Any, **_facts: Any) -> None:
    # The banner is no line of a log.
    sender.quiet = sender.quiet or settings.log_format == "json"
    with ending_on_failure():
        refuse_forks(sender.pool_cls)
        step_back()  # whoever searches on the same machine goes first
        serve_metrics(settings.metrics_port)
        platform()
    _sweep()


def _sweep() -> None:
    try:
        platform().sweeping.run()
    except UnavailableError as error:
        log.warning("not_swept", reason=error.message)
    except Exception:  # beat asks for the next one, and tasks can be done without
        log.exception("not_swept")


@worker_shutdown.connect  # type: ignore[untyped-decorator]
def _stop(**_facts: Any) -> None:
    if platform.cache_info().currsize:
        platform().close()

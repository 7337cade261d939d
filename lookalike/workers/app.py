"""The app for Celery's own command line: `celery -A lookalike.workers.app worker` (and `beat`).

The platform is put together when the first task comes in, or when a worker is ready; `beat` only
sends messages and never needs it.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

import structlog
from celery.signals import setup_logging, worker_init, worker_shutdown

from lookalike.services.bootstrap import bootstrap_patiently
from lookalike.services.errors import ConfigurationError, LookalikeError, UnavailableError
from lookalike.services.logs import configure_logs
from lookalike.services.metrics import serve_metrics
from lookalike.services.platform import Platform
from lookalike.services.priority import step_back
from lookalike.services.settings import read_settings
from lookalike.workers.factory import create_app

log = structlog.get_logger(__name__)

settings = read_settings()


@cache
def platform() -> Platform:
    """The services of this process, put together before the first task comes in."""
    return bootstrap_patiently(settings, background=True)


app = create_app(settings, platform)


@setup_logging.connect  # type: ignore[untyped-decorator]  # the library has no types
def _set_up_logging(**_facts: Any) -> None:
    configure_logs(settings.log_level, settings.log_format)


@worker_init.connect  # type: ignore[untyped-decorator]
def _start(**_facts: Any) -> None:
    step_back()  # whoever searches on the same machine goes first
    try:
        serve_metrics(settings.metrics_port)
        platform().sweeping.run()
    except LookalikeError as error:
        if isinstance(error, UnavailableError) and platform.cache_info().currsize:
            log.warning("not_swept", reason=error.message)
            return
        # Celery would log an exception and go on, with every task failing.
        print(f"lookalike: {error.message}", file=sys.stderr)  # noqa: T201  nobody else tells
        sys.exit(2 if isinstance(error, ConfigurationError) else 1)


@worker_shutdown.connect  # type: ignore[untyped-decorator]
def _stop(**_facts: Any) -> None:
    if platform.cache_info().currsize:
        platform().close()

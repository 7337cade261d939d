"""How a worker or beat that cannot do its work ends: with a sentence, and not at all by Celery."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from celery.concurrency import get_implementation
from celery.concurrency.prefork import TaskPool as Prefork

from lookalike.services.errors import ConfigurationError, LookalikeError

log = structlog.get_logger(__name__)


@contextmanager
def ending_on_failure() -> Iterator[None]:
    """End the process when the block raises: 2 for what must be set otherwise, else 1.

    What went wrong is printed as a sentence. Of a mistake of ours, the log has the trace too.
    """
    try:
        yield
    except LookalikeError as error:
        _end(error.message, 2 if isinstance(error, ConfigurationError) else 1)
    except Exception as error:  # Celery would log it and go on
        log.exception("not_started")
        _end(f"This process could not start ({type(error).__name__}). See the log.", 1)


def refuse_forks(pool: str | type) -> None:
    """Refuse a pool that forks, given by Celery's name for it or its class.

    Raises ConfigurationError. Celery takes `-P prefork` for the pool that the app names, since it
    cannot tell it from its own default; under its other names it forks.
    """
    if issubclass(get_implementation(pool), Prefork):
        raise ConfigurationError(
            "Workers cannot run in Celery's prefork pool: connections and GPUs do not survive the "
            "fork. Leave out -P, or use -P threads or -P solo, and start more workers for more "
            "processes."
        )


def _end(sentence: str, code: int) -> None:
    print(f"lookalike: {sentence}", file=sys.stderr)  # noqa: T201  nobody else tells
    sys.exit(code)

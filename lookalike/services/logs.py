"""Logs: one line an event on standard error, so that standard output stays for answers.

Every event carries what is bound to its context: the request that a person made, and the task
that a worker is at. Both follow a picture from its upload into the index.
"""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.typing import Processor


def configure_logs(level: str, form: str = "text") -> None:
    """Log from `level` (debug, info, warning, error) on, our own events and the libraries'.

    `form` is `text` for people or `json`, one object a line, for collectors.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*_facts(), *_rendering(form)],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(form))
    # Python would print warnings as text.
    logging.captureWarnings(form == "json")
    # One line for each call of a server would drown what happens.
    logging.getLogger("httpx").setLevel(max(number, logging.WARNING))
    logging.basicConfig(level=number, handlers=[handler], force=True)


def formatter(form: str) -> logging.Formatter:
    """What gives records of the libraries' loggers the same form as our own events."""
    return structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *_rendering(form),
        ],
        foreign_pre_chain=[*_facts(), structlog.stdlib.add_logger_name],
    )


def _facts() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _rendering(form: str) -> list[Processor]:
    if form == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    # Plain traces: the default would print every variable, whole files among them.
    plain = structlog.dev.plain_traceback
    colors = sys.stderr.isatty()
    return [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain)]

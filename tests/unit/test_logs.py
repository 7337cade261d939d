"""Logs: on standard error, from the level on, and without what the variables held."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator

import pytest
import structlog

from lookalike.services.logs import configure_logs


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    level = logging.getLogger().level
    yield
    logging.captureWarnings(False)
    structlog.reset_defaults()
    logging.getLogger().setLevel(level)


def test_events_below_the_level_are_not_logged(capsys: pytest.CaptureFixture[str]):
    configure_logs("warning")
    log = structlog.get_logger()
    log.info("quiet")
    log.warning("loud", picture="a.jpg")
    out, err = capsys.readouterr()
    assert out == ""
    assert "quiet" not in err
    assert "loud" in err
    assert "a.jpg" in err
    assert len(err.splitlines()) == 1


def test_an_exception_is_logged_with_its_trace_but_not_with_what_variables_held(
    capsys: pytest.CaptureFixture[str],
):
    def fail(secret: str) -> None:
        raise RuntimeError(f"the reason {len(secret)}")

    configure_logs("error")
    try:
        fail("".join(["inside ", "a variable"]))
    except RuntimeError:
        structlog.get_logger().exception("it_failed")
    err = capsys.readouterr().err
    assert "it_failed" in err
    assert "the reason" in err
    assert "in fail" in err
    assert "inside a variable" not in err


def test_what_libraries_log_and_warn_of_is_json_too_one_object_a_line(
    capsys: pytest.CaptureFixture[str],
):
    configure_logs("info", "json")
    try:
        raise RuntimeError("two\nlines")
    except RuntimeError:
        logging.getLogger("library").exception("it %s", "failed")
    warnings.warn("it is old", stacklevel=1)
    failed, warned = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (failed["event"], failed["logger"], failed["level"]) == ("it failed", "library", "error")
    assert "RuntimeError: two\nlines" in failed["exception"]
    assert (warned["logger"], "it is old" in warned["event"]) == ("py.warnings", True)

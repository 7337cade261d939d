"""How fast an import goes and how long it still takes: honest, or nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lookalike.services.importing.progress import Progress, latest_rate, rate
from lookalike.services.models import Import, ImportState, now


def row(**fields) -> Import:
    """An import that has been running for a while."""
    given = {
        "state": ImportState.RUNNING,
        "started_at": now() - timedelta(seconds=60),
        "total": 1000,
        "position": 0,
        "new": 0,
        "duplicate": 0,
        "failed": 0,
        "rated_settled": 0,
    }
    return Import(**given | fields)


def ago(seconds: float):
    return now() - timedelta(seconds=seconds)


def test_the_first_measurement_is_taken_as_it_is():
    one = row()
    rate(one, 0)
    assert one.rate is None
    one.rated_at = ago(10)
    rate(one, 50)
    assert one.rate == pytest.approx(5, rel=0.01)


def test_a_rate_follows_what_happens_of_late():
    one = row(rate=100.0, rated_at=ago(60), rated_settled=1000)
    assert latest_rate(one, 1060) == pytest.approx(1 + 99 * 0.0498, rel=0.02)  # e^-3


def test_time_left_is_what_is_left_at_that_rate():
    one = row(rate=10.0, rated_at=ago(2), rated_settled=180, position=300, new=240, failed=60)
    progress = Progress(one, pending=100)
    assert (progress.done, progress.found) == (140, 300)
    assert progress.rate == pytest.approx(10, rel=0.01)
    assert progress.seconds_left == pytest.approx(80, rel=0.01)


@pytest.mark.parametrize(
    "unknown",
    [
        {"total": None},
        {"rate": 0.0, "rated_settled": 300},
        {"rate": None, "rated_at": None},
        {"rated_at": ago(100)},
        {"started_at": "just now"},
        {"started_at": None},
        {"state": ImportState.PAUSED},
        {"state": ImportState.DONE},
    ],
)
def test_nothing_is_said_while_nobody_can_know(unknown):
    given = {"rate": 10.0, "rated_at": ago(1), "rated_settled": 290, "position": 300, "new": 300}
    assert Progress(row(**given), 0).seconds_left is not None
    if unknown.get("started_at"):
        unknown = {"started_at": now()}
    assert Progress(row(**given | unknown), 0).seconds_left is None


def test_counts_are_never_less_than_none():
    assert Progress(row(new=1, duplicate=0, failed=0), pending=3).done == 0

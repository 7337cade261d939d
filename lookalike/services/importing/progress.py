"""How far an import is, how fast it goes, and how long the rest will take."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from lookalike.services.models import Import, ImportState, now

RECENT_SECONDS = 20.0
"""Time constant of the rate: what happened a minute ago hardly counts."""

SOONEST = 0.5
"""Seconds between two measurements; shorter ones are mostly noise."""

BELIEVED = timedelta(seconds=4)
"""How long an import must have run before it is foretold when it ends."""

STALE = timedelta(seconds=30)
"""A rate that is older says nothing about now."""

ACTIVE = (ImportState.REHEARSING, ImportState.RUNNING)


def rate(row: Import, settled: int) -> None:
    """Write on the row how fast it goes, and when and where that was measured."""
    if row.rated_at is None or _since(row.rated_at) >= SOONEST:
        row.rate = latest_rate(row, settled)
        row.rated_at, row.rated_settled = now(), settled


def latest_rate(row: Import, settled: int) -> float | None:
    """Items a second: an exponential mean that leans to the last `RECENT_SECONDS`.

    None as long as it was never measured.
    """
    if row.rated_at is None:
        return None
    passed = max(SOONEST, _since(row.rated_at))
    latest = max(0.0, (settled - row.rated_settled) / passed)
    weight = 1 - math.exp(-passed / RECENT_SECONDS)
    return latest if row.rate is None else row.rate + weight * (latest - row.rate)


def _since(moment: datetime) -> float:
    return (now() - moment).total_seconds()


@dataclass(frozen=True, slots=True)
class Progress:
    """An import and how many of its pictures are still to be indexed."""

    row: Import
    pending: int

    @property
    def found(self) -> int:
        """Items that have been looked at."""
        return self.row.new + self.row.duplicate + self.row.failed

    @property
    def done(self) -> int:
        """Items that are searchable; in a rehearsal those that would be."""
        return max(0, self.row.new + self.row.duplicate - self.pending)

    @property
    def rate(self) -> float | None:
        """Items a second of late; None while it does not move or is not known."""
        row = self.row
        if row.state not in ACTIVE or row.rated_at is None or now() - row.rated_at > STALE:
            return None
        return latest_rate(row, row.position - self.pending)

    @property
    def seconds_left(self) -> float | None:
        """From the recent rate; None while nobody can know."""
        started = self.row.started_at
        rate = self.rate
        if not rate or self.row.total is None or not started or now() - started < BELIEVED:
            return None
        return max(0, self.row.total - self.done - self.row.failed) / rate

"""What a rehearsal foretells: counts, bytes, and how long the import would take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from lookalike.services.models import Import, ImportedPicture, ImportFailure, ImportState, now


def added(sums: Mapping[str, Any], spent: Mapping[str, float]) -> dict[str, Any]:
    """What a rehearsal has spent so far.

    Seconds of `read`, `decode` and `forward`, and how many pictures were `decoded` and `embedded`.
    """
    return {name: sums.get(name, 0.0) + spent.get(name, 0.0) for name in sums.keys() | spent.keys()}


def finish(session: Session, row: Import) -> None:
    """Say what is foretold, and forget which bytes were seen."""
    row.state, row.ended_at, row.exhausted = ImportState.DONE, now(), True
    row.rehearsal = {
        "new": row.new,
        "duplicate": row.duplicate,
        "failed": row.failed,
        "codes": codes(session, row),
        "bytes": row.bytes,
        "seconds": round(_seconds(row.new, row.rehearsed), 1),
    }
    session.execute(delete(ImportedPicture).where(ImportedPicture.import_id == row.id))


def codes(session: Session, row: Import) -> dict[str, int]:
    """How many failures an import has by code, the most frequent first."""
    count = func.count()
    query = (
        select(ImportFailure.code, count)
        .where(ImportFailure.import_id == row.id)
        .group_by(ImportFailure.code)
        .order_by(count.desc(), ImportFailure.code)
    )
    return dict(session.execute(query).all())


def _seconds(new: int, spent: Mapping[str, float]) -> float:
    """Reading comes first; decoding and the network overlap, so the slower one counts."""

    def each(seconds: str, pictures: str) -> float:
        return spent.get(seconds, 0.0) / max(1.0, spent.get(pictures, 0.0))

    slower = max(each("decode", "decoded"), each("forward", "embedded"))
    return spent.get("read", 0.0) + new * slower

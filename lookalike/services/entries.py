"""Entries: how far pictures are in an index."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ScalarSelect, func, select
from sqlalchemy.orm import Session

from lookalike.services.models import Entry, State, now
from lookalike.services.records import Queue


def by_state(session: Session, index_id: UUID | ScalarSelect[UUID]) -> dict[State, int]:
    """How many entries of the index are in each state."""
    query = select(Entry.state, func.count()).where(Entry.index_id == index_id)
    found = {State(state): n for state, n in session.execute(query.group_by(Entry.state))}
    return {state: found.get(state, 0) for state in State}


def afresh() -> dict[str, Any]:
    """The columns of an entry that nobody has tried yet, and that is queued in bulk now."""
    moment = now()
    return {
        "state": State.PENDING,
        "code": None,
        "message": None,
        "attempts": 0,
        "queue": Queue.BULK,
        "queued_at": moment,
        "pending_since": moment,
        "leased_until": None,
    }

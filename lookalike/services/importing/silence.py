"""When an import stops to wait for files that nobody sends any more."""

from __future__ import annotations

from datetime import timedelta

from lookalike.services.models import Import, ImportState, now

SILENCE = timedelta(minutes=10)
"""After this an import stops to wait for files that are sent: whoever sent them has gone."""

SILENT = (
    "Nothing has been sent for ten minutes. Give the same command again: it goes on where it was."
)


def pause_in_silence(row: Import) -> None:
    """Pause an import of files that are sent, where none have come for long."""
    if now() - (row.received_at or row.added_at) > SILENCE:
        row.state, row.message = ImportState.PAUSED, SILENT

"""Carries imports out, whatever state they are in."""

from __future__ import annotations

import threading
from collections.abc import Callable
from uuid import UUID

from lookalike.services.importing.bringing import Bringing
from lookalike.services.importing.claims import Claim, Claims
from lookalike.services.importing.files import Files
from lookalike.services.importing.reading import Readers
from lookalike.services.importing.rehearsing import Rehearsing
from lookalike.services.importing.undoing import Undoing
from lookalike.services.models import Import, ImportState
from lookalike.services.ports import WorkQueue
from lookalike.services.relay import Relay


class Carrying(Relay[Import]):
    """What workers do for imports."""

    def __init__(
        self,
        claims: Claims,
        queue: WorkQueue,
        readers: Readers,
        files: Files,
        bringing: Bringing,
        rehearsing: Rehearsing,
        undoing: Undoing,
        slot: threading.Lock,
    ) -> None:
        super().__init__(claims, queue.put_import, self._go_on, self._forget, slot)
        self._readers = readers
        self._files = files
        self._steps: dict[ImportState, Callable[[Claim], float]] = {
            ImportState.RUNNING: bringing.go_on,
            ImportState.REHEARSING: rehearsing.go_on,
            ImportState.UNDOING: undoing.go_on,
        }

    def close(self) -> None:
        """Close the sources that are open."""
        self._readers.close()

    def _go_on(self, claim: Claim) -> float:
        return self._steps[claim.row.state](claim)

    def _forget(self, import_id: UUID) -> None:
        self._readers.forget(import_id)
        self._files.drop_done(import_id)

"""Imports in a random mix of events: begun, paused, gone on with, cancelled, undone, retried."""

from __future__ import annotations

import time
from collections.abc import Collection
from random import Random
from typing import Any

from tests.integration.expected import Bringing
from tests.integration.mix import Mix, happens, wait_a_while
from tests.integration.scene import files
from tests.servers.processes import wait_until
from tests.unit.test_imports import zipped

REFUSED = {400, 404, 409, 422, 503}
"""What cannot be done just now is refused with a reason; nothing may go wrong inside."""

UNDER_WAY = {"queued", "running"}
OVER = {"done", "cancelled", "failed", "undone"}

MOST = 80
"""Pictures an import has; more than one batch of it takes."""


class WithImports(Mix):
    """Each import ends as it was told to, with exact counts, and leaves what it should."""

    moments = (*Mix.moments, "import_batch", "before_commit", "before_publish")
    events = (
        *Mix.events,
        "bring_in",
        "pause_import",
        "resume_import",
        "cancel_import",
        "undo_import",
        "retry_import",
    )

    @happens
    def bring_in(self, dice: Random) -> None:
        self.bring(dice, broken=dice.randint(0, 2))
        self.happened["bring_in"] += 1

    @happens
    def pause_import(self, dice: Random) -> None:
        self.tell(self.under_way(dice), "pause")

    @happens
    def resume_import(self, dice: Random) -> None:
        if not self.imports({"paused"}):
            self.pause_import(dice)
        self.tell(self.one_of(dice, {"paused"}), "resume")

    @happens
    def cancel_import(self, dice: Random) -> None:
        self.tell(self.under_way(dice), "cancel")

    @happens
    def undo_import(self, dice: Random) -> None:
        """Also of one that is paused: it may have a batch in hand."""
        self.tell(self.ended(dice, {"done", "cancelled", "paused"}), "undo")

    @happens
    def retry_import(self, dice: Random) -> None:
        self.tell(self.ended(dice, {"done", "cancelled"}), "retry")

    def under_way(self, dice: Random) -> str | None:
        """An import that is not over; one is begun if there is none."""
        if not self.imports(UNDER_WAY):
            self.bring(dice, broken=1)
            time.sleep(dice.choice([0, 0.1, 0.3]))
        return self.one_of(dice, UNDER_WAY)

    def ended(self, dice: Random, states: Collection[str]) -> str | None:
        """An import in one of these states; one is carried out if there is none."""
        if not self.imports(states):
            self.bring(dice, broken=1)
            self.ground.work()
            wait_a_while(lambda: self.imports(states), 60)
        return self.one_of(dice, states)

    def one_of(self, dice: Random, states: Collection[str]) -> str | None:
        """Any import in one of these states; None if there is none any more."""
        return dice.choice(self.imports(states) or [None])

    def imports(self, states: Collection[str]) -> list[str]:
        """Imports in these states."""
        return sorted(key for key, state in self.import_states().items() if state in states)

    def bring(self, dice: Random, broken: int) -> None:
        """Begin an import; so many of its items are no pictures."""
        numbers = self.numbers(dice, MOST)
        known = self.expected.uploaded.keys() & numbers
        alone = self.expected.offer(numbers)
        name = f"{len(self.expected.imports)}-of-{self.expected.fresh}.zip"
        sent = {f"broken-{number}.jpg": b"no picture" for number in range(broken)}
        archive = zipped(files(len(numbers), numbers[0]) | sent)
        answer = self.ask("POST", "/imports", files={"file": (name, archive)})
        assert answer is None or answer.status_code == 202, answer.text
        # Without an answer it may have begun all the same.
        for one in self.shown_imports():
            if one["name"] == name:
                self.expected.imports[one["id"]] = Bringing(numbers, broken, alone, known)
        assert answer is None or answer.json()["id"] in self.expected.imports

    def tell(self, import_id: str | None, what: str) -> None:
        """Have something done with an import; it may be too late for that."""
        if import_id is None:
            return
        body: Any = {} if what == "retry" else None
        answer = self.ask("POST", f"/imports/{import_id}/{what}", json=body)
        assert answer is None or answer.status_code in {200, *REFUSED}, answer.text
        if answer is None or answer.status_code == 200:
            self.expected.ask(import_id, what, answered=answer is not None)
        self.happened[f"{what}_import"] += answer is not None and answer.status_code == 200

    def shown_imports(self) -> list[dict[str, Any]]:
        """Every import, as the API shows it."""
        found: list[dict[str, Any]] = self.look("/imports", limit=100).json()["imports"]
        return found

    def import_states(self) -> dict[str, str]:
        """See Mix."""
        return {one["id"]: one["state"] for one in self.shown_imports()}

    def end(self) -> None:
        """Also, every import has ended as it was told to."""
        for import_id in self.imports({"paused"}):
            self.tell(import_id, "resume")
        wait_until(lambda: set(self.import_states().values()) <= OVER, "every import ends", 180)
        for one in self.shown_imports():
            self.expected.imports[one["id"]].assert_counted(one)
            self.happened[f"an import {one['state']}"] += 1
        super().end()

"""What must be there, and what may be, after a random mix of events: a book kept beside it.

Pictures go by the numbers that `files` makes them from: one number is one picture of a library.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Bringing:
    """An import: its pictures, how many of its items are none, and the states it may end in.

    `alone` says that nobody else has ever brought one of its pictures, `known` are those that
    were uploaded before it began. `taken` are those that were removed when it was done, and
    `unsure` those that were removed before that.
    """

    numbers: Sequence[int]
    broken: int
    alone: bool
    known: Set[int] = frozenset()
    ends: set[str] = field(default_factory=lambda: {"done"})
    taken: set[int] = field(default_factory=set)
    unsure: set[int] = field(default_factory=set)

    def sure(self) -> set[int]:
        """Pictures that it must have brought, once it is done."""
        return set(self.numbers) - self.taken - self.unsure

    def possible(self) -> set[int]:
        """Pictures that it may have brought, however far it has come."""
        return set(self.numbers) - self.taken

    def assert_counted(self, shown: Mapping[str, Any]) -> None:
        """It has ended as it may, and each item counts once."""
        assert shown["state"] in self.ends, (self.ends, shown)
        items = len(self.numbers) + self.broken
        counts = [shown[name] for name in ("new", "duplicate", "failed")]
        assert sum(counts) <= items, shown
        assert counts[0] <= len(self.numbers) - len(self.known & self.sure()), shown
        assert counts[2] <= self.broken, shown
        if shown["state"] == "done":
            assert (shown["total"], shown["pending"]) == (items, 0), shown
            assert counts[2] == self.broken, shown
            assert counts[0] + counts[1] == len(self.numbers), shown
            assert not self.alone or counts[1] == 0, shown


@dataclass
class Live:
    """Which index may be the live one.

    `told` is the one that was told to be, of which there are several after a telling without an
    answer. `waiting` are those that may go live by themselves, or have since.
    """

    told: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)

    def tell(self, index_id: str, *, answered: bool, switched: Iterable[str]) -> None:
        """An index was told to go live; before that those of `switched` had gone live already."""
        if answered:
            self.told = {index_id}
            self.waiting -= {index_id, *switched}
        else:
            self.told.add(index_id)

    def assert_may_be(self, found: Iterable[str]) -> None:
        """There is one live index, and it is one that may be."""
        ids = list(found)
        assert len(ids) == 1, ids
        assert ids[0] in self.told | self.waiting, (ids, self)


@dataclass
class Expected:
    """The book. `uploaded` has the ids of pictures that were acknowledged; `tags` their tags."""

    uploaded: dict[int, str] = field(default_factory=dict)
    unanswered: set[int] = field(default_factory=set)
    imports: dict[str, Bringing] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    tags: dict[str, str] = field(default_factory=dict)
    live: Live = field(default_factory=Live)
    fresh: int = 0

    def offer(self, numbers: Iterable[int]) -> bool:
        """Somebody brings these pictures; whether nobody has before."""
        wanted = set(numbers)
        for one in self.imports.values():
            one.alone = one.alone and wanted.isdisjoint(one.numbers)
        alone = min(wanted) >= self.fresh
        self.fresh = max(self.fresh, *(number + 1 for number in wanted))
        return alone

    def acknowledge(self, numbers: Iterable[int], ids: Iterable[str]) -> None:
        """An upload was accepted."""
        self.uploaded.update(zip(numbers, ids, strict=True))

    def remove(self, number: int, picture_id: str, states: Mapping[str, str]) -> None:
        """A picture was removed, when the imports were in these states."""
        self.removed.add(picture_id)
        self.uploaded.pop(number, None)
        self.unanswered.discard(number)
        for import_id, one in self.imports.items():
            (one.taken if states.get(import_id) == "done" else one.unsure).add(number)

    def ask(self, import_id: str, what: str, *, answered: bool) -> None:
        """An import was told to do this; if it was not `answered`, it may not have heard it."""
        ends = self.imports[import_id].ends
        new = {
            "cancel": {"cancelled"},
            "undo": {"undone"},
            "retry": ends | {"done"} if "cancelled" in ends else ends,
        }.get(what, ends)
        self.imports[import_id].ends = set(new) if answered else ends | new

    def assert_fits(self, there: Mapping[str, int], states: Mapping[str, str]) -> None:
        """These pictures, their numbers by id, are what must and what may be there.

        `states` are those of imports, all of which have ended.
        """
        numbers = set(there.values())
        assert len(numbers) == len(there), "a picture is there twice"
        assert set(self.uploaded.values()) <= set(there), "an acknowledged picture is gone"
        assert not self.removed & set(there), "a removed picture came back"
        lost = self._sure(states) - numbers
        assert not lost, f"an import is done without its pictures {lost}"
        strange = numbers - self._possible(states)
        assert not strange, f"nobody wanted {strange} to be there"

    def _sure(self, states: Mapping[str, str]) -> set[int]:
        done = [one.sure() for key, one in self.imports.items() if states[key] == "done"]
        return set().union(*done)

    def _possible(self, states: Mapping[str, str]) -> set[int]:
        kept = [one.possible() for key, one in self.imports.items() if states[key] != "undone"]
        return self.unanswered.union(self.uploaded, *kept)

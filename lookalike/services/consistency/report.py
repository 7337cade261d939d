"""What a check has found: differences, each of a stable kind, and counts per index."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from lookalike.services.models import IndexState, State


class Kind(StrEnum):
    """What is wrong. Stable words: once published, one keeps its meaning."""

    BLOB_MISSING = "blob_missing"
    BLOB_DAMAGED = "blob_damaged"
    SIZE_WRONG = "size_wrong"
    THUMBNAIL_MISSING = "thumbnail_missing"
    ORPHAN_ORIGINAL = "orphan_original"
    ORPHAN_THUMBNAIL = "orphan_thumbnail"
    ENTRY_MISSING = "entry_missing"
    VECTOR_MISSING = "vector_missing"
    VECTOR_WITHOUT_ROW = "vector_without_row"
    PAYLOAD_WRONG = "payload_wrong"
    LEFTOVER_COLLECTION = "leftover_collection"


MEANINGS: Mapping[Kind, str] = {
    Kind.BLOB_MISSING: "The picture's original file is gone.",
    Kind.BLOB_DAMAGED: "The picture's original file is not what was uploaded.",
    Kind.SIZE_WRONG: "The database gives the picture another size in bytes than its sound file.",
    Kind.THUMBNAIL_MISSING: "The picture was indexed, but its thumbnail is gone or empty.",
    Kind.ORPHAN_ORIGINAL: "A stored original that belongs to no picture.",
    Kind.ORPHAN_THUMBNAIL: "A stored thumbnail that belongs to no picture.",
    Kind.ENTRY_MISSING: "The index does not know the picture, so it would never be found.",
    Kind.VECTOR_MISSING: "The picture counts as indexed, but its vector is gone.",
    Kind.VECTOR_WITHOUT_ROW: "A vector of a picture that does not exist.",
    Kind.PAYLOAD_WRONG: "What filters see of the picture is not what the database says.",
    Kind.LEFTOVER_COLLECTION: "A collection of vectors that belongs to no index.",
}

LOST = "It cannot be mended from here: upload the picture again. Its vector still answers searches."

UNMENDED: Mapping[Kind, str] = {
    Kind.BLOB_MISSING: LOST,
    Kind.BLOB_DAMAGED: LOST,
    Kind.THUMBNAIL_MISSING: "It cannot be made from the original: upload the picture again, "
    "then repair again.",
    Kind.LEFTOVER_COLLECTION: "It was left alone, because another Lookalike may use the same "
    "Qdrant server. If none does, delete it there.",
}
"""What to do about a difference that repairing did not mend."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that does not agree.

    `id` is the picture's id, an orphan file's SHA-256 or a collection's name; `index` the index
    concerned, if any. `repaired` is None when nobody has tried.
    """

    kind: Kind
    id: str
    index: UUID | None = None
    repaired: bool | None = None

    @property
    def message(self) -> str:
        """One or two sentences: what is wrong and, when it stays so, what to do."""
        advice = UNMENDED.get(self.kind) if self.repaired is False else None
        return f"{MEANINGS[self.kind]} {advice}" if advice else MEANINGS[self.kind]


@dataclass(frozen=True, slots=True)
class IndexCounts:
    """An index: its pictures by state in SQL, and the points in its collection."""

    id: UUID
    model: str
    state: IndexState
    entries: Mapping[State, int]
    points: int


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a check has found. `deep` says whether files were read and hashed."""

    pictures: int
    indexes: Sequence[IndexCounts]
    differences: Sequence[Difference]
    deep: bool

    @property
    def counts(self) -> dict[Kind, int]:
        """How many differences there are of each kind that occurs, in the order of `Kind`."""
        found = Counter(one.kind for one in self.differences)
        return {kind: found[kind] for kind in Kind if found[kind]}

    @property
    def remaining(self) -> list[Difference]:
        """The differences that are not repaired."""
        return [one for one in self.differences if not one.repaired]

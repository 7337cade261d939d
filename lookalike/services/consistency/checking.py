"""Compares SQL, blobs and vectors and names every difference, also while the platform is used.

Everything is read in slices, in short transactions, so pictures may come, change and go
meanwhile. What looks wrong on the way is therefore only a suspicion. At the end each one is read
again, and what still looks wrong once more after a pause: between the first file of an upload and
the commit of its rows, between a point and the note that its picture was removed meanwhile, there
is a time, of seconds at most, in which the stores do not agree and nothing is wrong.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from uuid import UUID

from sqlalchemy import func, select

from lookalike.services.consistency.files import Files
from lookalike.services.consistency.report import Difference, Kind, Report
from lookalike.services.consistency.vectors import Vectors
from lookalike.services.db import Database
from lookalike.services.indexes import FED_STATES, spec_of
from lookalike.services.models import Index, Picture
from lookalike.services.ports import BlobStore, VectorStore
from lookalike.services.slices import sliced

PATIENCE = 20.0
"""Seconds between the two last looks: as long as an upload may be between its first file and its
rows. Storing the 2,000 files of the largest one takes 1 s on a fast disk, 10 s where each takes
5 ms. A longer one costs a false alarm, but never a file: a repair leaves it to the outbox."""

COLLECTION = re.compile(r".+-[0-9a-f]{32}")
"""Names that `Indexes` gives. Others on the same Qdrant server are none of our business."""

VECTOR_KINDS = frozenset({Kind.ENTRY_MISSING, Kind.VECTOR_MISSING, Kind.VECTOR_WITHOUT_ROW})


class Checking:
    """Checks the platform; changes nothing.

    Memory grows with the differences and, by some 100 bytes each, with the pictures.
    """

    def __init__(self, db: Database, blobs: BlobStore, store: VectorStore) -> None:
        self._db = db
        self._store = store
        self._files = Files(db, blobs)

    def run(self, *, deep: bool = False, patience: float = PATIENCE) -> Report:
        """Check everything; `deep` also reads every original and compares its SHA-256.

        `patience` is the pause, in seconds, before what looks wrong is looked at for the last
        time; 0 is enough when nobody else uses the platform. Raises UnavailableError when a part
        cannot be asked.
        """
        indexes = {vectors_id: self._vectors(row) for vectors_id, row in self._fed().items()}
        suspects = list(self._suspects(indexes, deep))
        suspects = self._confirmed(indexes, suspects)
        if suspects and patience:
            time.sleep(patience)
            suspects = self._confirmed(indexes, suspects)
        with self._db.read() as session:
            pictures = session.scalar(select(func.count()).select_from(Picture)) or 0
        counts = [vectors.counts() for vectors in indexes.values()]
        return Report(pictures, counts, suspects, deep)

    def _fed(self) -> dict[UUID, Index]:
        with self._db.read() as session:
            rows = session.scalars(select(Index).where(Index.state.in_(FED_STATES)))
            return {row.id: row for row in rows.all()}

    def _vectors(self, row: Index) -> Vectors:
        return Vectors(self._db, row, self._store.open(row.collection, spec_of(row)))

    def _suspects(self, indexes: dict[UUID, Vectors], deep: bool) -> Iterator[Difference]:
        yield from self._files.suspects(deep)
        for vectors in indexes.values():
            yield from vectors.suspects()
        for name in self._leftovers():
            yield Difference(Kind.LEFTOVER_COLLECTION, name)

    def _leftovers(self) -> list[str]:
        # Names first: an index has its row before it has a collection.
        names = [name for name in self._store.names() if COLLECTION.fullmatch(name)]
        with self._db.read() as session:
            return sorted(set(names) - set(session.scalars(select(Index.collection))))

    def _confirmed(
        self, indexes: dict[UUID, Vectors], suspects: Iterable[Difference]
    ) -> list[Difference]:
        groups: dict[tuple[Kind, UUID | None], list[Difference]] = defaultdict(list)
        for suspect in suspects:
            groups[suspect.kind, suspect.index].append(suspect)
        return [
            difference
            for (kind, index), group in groups.items()
            for difference in self._true(kind, indexes[index] if index else None, group)
        ]

    def _true(
        self, kind: Kind, vectors: Vectors | None, group: list[Difference]
    ) -> list[Difference]:
        true: set[str] = set()
        if kind is Kind.LEFTOVER_COLLECTION:
            true.update(self._leftovers())
        elif vectors and kind is Kind.PAYLOAD_WRONG:
            true.update(map(str, vectors.confirmed_payloads({UUID(one.id) for one in group})))
        else:
            for part in sliced(one.id for one in group):
                if vectors:
                    true.update(map(str, vectors.confirmed(kind, [UUID(one) for one in part])))
                else:
                    true.update(self._files.confirmed(kind, part))
        return [one for one in group if one.id in true]

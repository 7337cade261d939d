"""What would become of a batch: items are checked and decoded as in an import, none is stored."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from lookalike.services.blame import blaming
from lookalike.services.courtesy import Courtesy
from lookalike.services.db import Database
from lookalike.services.decoding import read_picture
from lookalike.services.errors import LookalikeError, PictureError
from lookalike.services.imaging.inspection import inspect
from lookalike.services.imaging.limits import Limits
from lookalike.services.importing import ledger
from lookalike.services.importing.ledger import Verdict
from lookalike.services.importing.taking import Batch, Taken
from lookalike.services.indexes import Indexes, OpenIndex, live_index_id
from lookalike.services.indexing import Workload
from lookalike.services.models import Entry, Import, ImportedPicture, ImportFailure, Picture, State
from lookalike.services.pipeline import batches
from lookalike.services.ports import Decoder
from lookalike.services.records import Pixels
from lookalike.services.staging import Staged

SAMPLE = 16
"""Pictures that are embedded to see how long that takes here."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What would become of each item, and how long what was `spent` on (see `forecast`)."""

    verdicts: list[Verdict]
    spent: dict[str, float]


@dataclass(frozen=True, slots=True)
class _Decoded:
    """What decoding a picture gave: its pixels, or why there are none."""

    sha256: str
    pixels: Pixels | None
    error: LookalikeError | None


class Judging:
    """Judges batches of rehearsals. Safe between threads."""

    def __init__(
        self,
        db: Database,
        indexes: Indexes,
        decoder: Decoder,
        limits: Limits,
        courtesy: Courtesy,
        workload: Workload,
    ) -> None:
        self._db = db
        self._indexes = indexes
        self._decoder = decoder
        self._limits = limits
        self._courtesy = courtesy
        self._workload = workload

    def judge(self, row: Import, batch: Batch, reading: float) -> Judged:
        """What an import would make of the next batch of this rehearsal, which stores nothing.

        `reading` is how many seconds it took to have the batch here. Raises UnavailableError.
        """
        index = self._indexes.live()
        begun = time.monotonic()
        refused = self._refused(batch)
        spent = {"read": reading + time.monotonic() - begun}
        known, broken = self._known(row, batch)
        todo = list(_to_decode(batch, refused, known))
        broken |= self._decode(todo, index, spent, sample=not row.rehearsed.get("embedded"))
        return Judged(_verdicts(batch, refused, broken, known), spent)

    def _refused(self, batch: Batch) -> dict[int, LookalikeError]:
        """Why items are refused at the door, by position."""
        refused: dict[int, LookalikeError] = {
            item.position: item.error for item in batch.items if item.error is not None
        }
        for item, staged in batch.staged:
            try:
                staged.seal()
                inspect(staged.file, self._limits)
            except PictureError as error:
                refused[item.position] = error
        return refused

    def _known(
        self, row: Import, batch: Batch
    ) -> tuple[dict[str, bool], dict[str, LookalikeError]]:
        """Hashes that are there already, and those among them that were found broken before.

        Each says whether it is to be decoded all the same: a picture of the library that has
        failed is tried again when it is imported.
        """
        hashes = [staged.sha256 for _, staged in batch.staged]
        with self._db.read() as session:
            stored = (
                select(Picture.sha256, Entry.state)
                .join(Entry, Entry.picture_id == Picture.id)
                .where(Picture.library == row.library, Picture.sha256.in_(hashes))
                .where(Entry.index_id == live_index_id())
            )
            known = {sha256: state == State.FAILED for sha256, state in session.execute(stored)}
            seen = (
                select(ImportedPicture.sha256, ImportFailure)
                .outerjoin(ImportFailure, ledger.of_its_item())
                .where(ImportedPicture.import_id == row.id, ImportedPicture.sha256.in_(hashes))
            )
            found = dict(session.execute(seen).all())
        broken = {
            sha256: ledger.error_of(one.code, one.message)
            for sha256, one in found.items()
            if one is not None
        }
        return known | dict.fromkeys(found, False), broken

    def _decode(
        self,
        todo: Sequence[tuple[Taken, Staged]],
        index: OpenIndex,
        spent: dict[str, float],
        *,
        sample: bool,
    ) -> dict[str, LookalikeError]:
        """Why pictures cannot be decoded, by hash; adds to `spent` how long it all took.

        The first ones are embedded as a `sample`, to see how fast that is.
        """
        begun = time.monotonic()
        decoded = [
            one
            for some in batches(
                todo,
                lambda pair: self._try(pair[1], index),
                SAMPLE,
                self._workload.decode_threads,
            )
            for one in some
        ]
        spent |= {"decode": time.monotonic() - begun, "decoded": float(len(todo))}
        if sample:
            pixels = [one.pixels for one in decoded if one.pixels is not None]
            spent |= _embed(index, pixels[:SAMPLE])
        return {one.sha256: one.error for one in decoded if one.error is not None}

    def _try(self, staged: Staged, index: OpenIndex) -> _Decoded:
        self._courtesy.give_way()
        try:
            with blaming(staged.sha256):
                data = read_picture(staged.file, self._limits)
                recipes = [index.embedder.definition.recipe]
                side = self._workload.thumbnail_side
                made = self._decoder.prepare_for_index(data, recipes, side)
        except PictureError as error:
            return _Decoded(staged.sha256, None, error)
        return _Decoded(staged.sha256, made.pixels[0], None)


def _to_decode(
    batch: Batch, refused: Collection[int], known: Mapping[str, bool]
) -> Iterable[tuple[Taken, Staged]]:
    """Each picture once that an import would index."""
    seen: set[str] = set()
    for item, staged in batch.staged:
        wanted = staged.sha256 not in seen and known.get(staged.sha256, True)
        if wanted and item.position not in refused:
            seen.add(staged.sha256)
            yield item, staged


def _embed(index: OpenIndex, sample: Sequence[Pixels]) -> dict[str, float]:
    if not sample:
        return {}
    index.embedder.embed(sample[:1])  # the first pass loads the network
    begun = time.monotonic()
    index.embedder.embed(sample)
    return {"forward": time.monotonic() - begun, "embedded": float(len(sample))}


def _verdicts(
    batch: Batch,
    refused: Mapping[int, LookalikeError],
    broken: Mapping[str, LookalikeError],
    known: Collection[str],
) -> list[Verdict]:
    seen = set(known)
    verdicts = []
    for item in batch.items:
        if item.staged is None or item.position in refused:
            verdicts.append(Verdict(item.position, item.name, error=refused[item.position]))
            continue
        sha256, size = item.staged.sha256, item.staged.size
        again, error = sha256 in seen, broken.get(sha256)
        seen.add(sha256)
        verdicts.append(
            Verdict(item.position, item.name, sha256, size, duplicate=again, error=error)
        )
    return verdicts

"""A rehearsal: everything is read, checked and decoded as in an import, and nothing is stored."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from lookalike.services.blame import blaming
from lookalike.services.courtesy import Courtesy
from lookalike.services.db import Database
from lookalike.services.decoding import read_picture
from lookalike.services.errors import LookalikeError, PictureError
from lookalike.services.imaging.inspection import inspect
from lookalike.services.imaging.limits import Limits
from lookalike.services.importing import ledger
from lookalike.services.importing.claims import Claim, Claims
from lookalike.services.importing.ledger import Verdict
from lookalike.services.importing.progress import rate
from lookalike.services.importing.reading import Readers
from lookalike.services.importing.taking import Batch, Taken, take
from lookalike.services.indexes import Indexes, OpenIndex, live_index_id
from lookalike.services.indexing import Workload
from lookalike.services.models import (
    Entry,
    Import,
    ImportedPicture,
    ImportFailure,
    ImportState,
    Picture,
    State,
    now,
)
from lookalike.services.pipeline import batches
from lookalike.services.ports import Decoder
from lookalike.services.records import Pixels
from lookalike.services.staging import Staged, Staging

SLICE_SECONDS = 2.0

SAMPLE = 16
"""Pictures that are embedded to see how long that takes here."""


@dataclass(frozen=True, slots=True)
class _Decoded:
    """What decoding a picture gave: its pixels, or why there are none."""

    sha256: str
    pixels: Pixels | None
    error: LookalikeError | None


class Rehearsing:
    """Carries out imports that are REHEARSING."""

    def __init__(
        self,
        db: Database,
        claims: Claims,
        readers: Readers,
        staging: Staging,
        indexes: Indexes,
        decoder: Decoder,
        limits: Limits,
        courtesy: Courtesy,
        workload: Workload,
    ) -> None:
        self._db = db
        self._claims = claims
        self._readers = readers
        self._staging = staging
        self._indexes = indexes
        self._decoder = decoder
        self._limits = limits
        self._courtesy = courtesy
        self._workload = workload

    def go_on(self, claim: Claim) -> float:
        """One slice; the next one may begin at once.

        Raises SourceError, UnavailableError, OvertakenError.
        """
        index = self._indexes.live()
        until = time.monotonic() + SLICE_SECONDS
        row = claim.row
        while row.state == ImportState.REHEARSING and time.monotonic() < until:
            row = self._rehearse(claim, row, index)
        return 0

    def _rehearse(self, claim: Claim, row: Import, index: OpenIndex) -> Import:
        with ExitStack() as stack, self._readers.reading(row) as reader:
            begun = time.monotonic()
            batch = take(reader, self._staging, stack)
            refused = self._refused(batch)
            spent = {"read": time.monotonic() - begun}
            known, broken = self._known(row, batch)
            todo = list(_to_decode(batch, refused, known))
            broken |= self._decode(todo, index, spent, sample=not row.rehearsed.get("embedded"))
            verdicts = _verdicts(batch, refused, broken, known)
            total = row.total if row.total is not None else reader.total()
            with self._db.write() as session:
                held = self._claims.held(session, claim)
                ledger.enter(session, held, verdicts)
                held.position, held.message = reader.position, None
                held.total = reader.position if batch.ended else total
                held.rehearsed = _added(held.rehearsed, spent)
                rate(held, held.position)
                if batch.ended and held.state == ImportState.REHEARSING:
                    _finish(session, held)
            return held

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


def _added(sums: Mapping[str, Any], spent: Mapping[str, float]) -> dict[str, Any]:
    return {name: sums.get(name, 0.0) + spent.get(name, 0.0) for name in sums.keys() | spent.keys()}


def _finish(session: Session, row: Import) -> None:
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

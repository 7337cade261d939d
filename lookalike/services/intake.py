"""The way in: staged files become stored, pending pictures, or are refused with a reason."""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import product
from pathlib import PurePosixPath
from typing import TypeAlias
from uuid import UUID

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from lookalike.services.blobs import original_key
from lookalike.services.db import Database, lock
from lookalike.services.errors import LookalikeError, PictureError, UnavailableError
from lookalike.services.failpoints import reach
from lookalike.services.imaging.inspection import PictureInfo, inspect
from lookalike.services.imaging.limits import Limits
from lookalike.services.indexes import fed_index_ids
from lookalike.services.labels import Labels
from lookalike.services.libraries import require_library
from lookalike.services.models import Entry, Picture, PictureTag, State, new_id, now
from lookalike.services.ports import BlobStore, IndexQueue
from lookalike.services.queueing import queue_pictures
from lookalike.services.records import Queue
from lookalike.services.staging import Staged
from lookalike.services.unused import remove_unused

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that somebody offers, what they call it, and what they say about it alone."""

    filename: str
    staged: Staged
    labels: Labels | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The picture is stored for good. `duplicate`: the library had these bytes already."""

    filename: str
    id: UUID
    state: State
    duplicate: bool


@dataclass(frozen=True, slots=True)
class Rejected:
    """The picture was refused; nothing of it is kept."""

    filename: str
    error: PictureError


@dataclass(frozen=True, slots=True)
class _Sound:
    """An upload that passed inspection."""

    upload: Upload
    info: PictureInfo

    @property
    def sha256(self) -> str:
        """Hash of the bytes."""
        return self.upload.staged.sha256


Ledger: TypeAlias = Callable[[Session, Sequence[Accepted | Rejected]], None]
"""What an import writes about its pictures, in the transaction that stores them."""


AT_ONCE = 4
"""Calls of `add` that are at work in one process. More would only wait for the same disk and
interpreter, and with them whoever searches in this process."""


class Intake:
    """Accepts pictures. When `add` returns, what it accepted survives any crash."""

    def __init__(self, db: Database, blobs: BlobStore, queue: IndexQueue, limits: Limits) -> None:
        self._db = db
        self._blobs = blobs
        self._queue = queue
        self._limits = limits
        self._turns = threading.BoundedSemaphore(AT_ONCE)

    def add(
        self,
        uploads: Iterable[Upload],
        library: str,
        labels: Labels,
        queue: Queue = Queue.INTERACTIVE,
        ledger: Ledger | None = None,
    ) -> list[Accepted | Rejected]:
        """Take each upload or refuse it, answering in their order. One bad file stops no other.

        `queue` says whether somebody waits for them or they are part of something large. With a
        `ledger`, which is always written, they belong to an import; without, to themselves, and
        take turns with others.
        Raises NotFoundError for an unknown library, UnavailableError when nothing can be stored.
        """
        with self._turns if ledger is None else nullcontext():
            return self._add(uploads, library, labels, queue, ledger)

    def _add(
        self,
        uploads: Iterable[Upload],
        library: str,
        labels: Labels,
        queue: Queue,
        ledger: Ledger | None,
    ) -> list[Accepted | Rejected]:
        with self._db.read() as session:
            require_library(session, library)
        checked = [self._check(upload) for upload in uploads]
        sound = [item for item in checked if isinstance(item, _Sound)]
        if not sound and ledger is None:
            return [item for item in checked if isinstance(item, Rejected)]
        try:
            for item in sound:
                self._store(item)
            outcomes, accepted = self._record(checked, sound, library, labels, queue, ledger)
        except Exception as error:
            if type(error) is not UnavailableError:  # nothing could be removed then either
                self._take_back(sound)
            raise
        self._after_commit(sound, accepted, queue)
        return outcomes

    def _check(self, upload: Upload) -> _Sound | Rejected:
        try:
            upload.staged.seal()
            return _Sound(upload, inspect(upload.staged.file, self._limits))
        except PictureError as error:
            return Rejected(upload.filename, error)

    def _store(self, item: _Sound) -> None:
        staged = item.upload.staged
        self._blobs.put(original_key(staged.sha256), staged.path)

    def _record(
        self,
        checked: Sequence[_Sound | Rejected],
        sound: Sequence[_Sound],
        library: str,
        labels: Labels,
        queue: Queue,
        ledger: Ledger | None,
    ) -> tuple[list[Accepted | Rejected], list[Accepted]]:
        """What became of all, and of those that are accepted."""
        reach("before_commit")
        with self._db.write() as session:
            require_library(session, library)
            lock(session, *(item.sha256 for item in sound))
            known = _known(session, library, sound)
            fresh = _insert(session, library, labels, sound, known)
            pictures = known | fresh
            _attribute(session, known.values(), fresh.values(), uploaded=ledger is None)
            states = _enter(session, list(pictures.values()), queue)
            accepted = _accepted(sound, pictures, states, set(known))
            outcomes = _merged(checked, accepted)
            if ledger is not None:
                ledger(session, outcomes)
        return outcomes, accepted

    def _take_back(self, sound: Sequence[_Sound]) -> None:
        """Remove the files of pictures that were not recorded, but for those others have too.

        What cannot be removed now is found by `check`.
        """
        try:
            for sha256 in {item.sha256 for item in sound}:
                with self._db.write() as session:
                    remove_unused(session, self._blobs, sha256)
        except LookalikeError as error:
            log.warning("files_left", pictures=len(sound), reason=error.message)

    def _after_commit(
        self, sound: Sequence[_Sound], accepted: Sequence[Accepted], queue: Queue
    ) -> None:
        for item in sound:
            # A removal of the same bytes may have taken the blob just before our rows were
            # there to protect it.
            self._store(item)
        for one in accepted:
            log.info("accepted", picture_id=str(one.id), duplicate=one.duplicate)
        reach("before_publish")
        pending = _unique(one.id for one in accepted if one.state == State.PENDING)
        queue_pictures(self._queue, pending, queue)


def _known(session: Session, library: str, sound: Sequence[_Sound]) -> dict[str, UUID]:
    """Ids, by hash, of those pictures that the library has, held until this write ends."""
    query = select(Picture.sha256, Picture.id).where(
        Picture.library == library, Picture.sha256.in_([item.sha256 for item in sound])
    )
    return dict(session.execute(query.order_by(Picture.id).with_for_update()).all())


def _insert(
    session: Session, library: str, labels: Labels, sound: Sequence[_Sound], known: Container[str]
) -> dict[str, UUID]:
    """Add the pictures that are not known, each once; their ids by hash."""
    new: dict[str, Picture] = {}
    for item in sound:
        if item.sha256 not in known and item.sha256 not in new:
            new[item.sha256] = _new_picture(item, library, labels)
    session.add_all(new.values())
    session.flush()
    return {sha256: picture.id for sha256, picture in new.items()}


def _attribute(
    session: Session, known: Iterable[UUID], fresh: Iterable[UUID], *, uploaded: bool
) -> None:
    """Note whether the pictures came by themselves or in an import.

    New pictures count as uploaded; one that was uploaded by itself once stays so.
    """
    ids = list(known if uploaded else fresh)
    if ids:
        session.execute(update(Picture).where(Picture.id.in_(ids)).values(uploaded=uploaded))


def _enter(session: Session, picture_ids: Sequence[UUID], queue: Queue) -> dict[UUID, State]:
    """Give each picture an entry in each index; one that failed is tried again.

    Answers the state of each: indexed when it is in every index.
    """
    query = select(Entry).where(Entry.picture_id.in_(picture_ids))
    query = query.order_by(Entry.picture_id, Entry.index_id).with_for_update()
    there = {(entry.picture_id, entry.index_id): entry for entry in session.scalars(query)}
    states = dict.fromkeys(picture_ids, State.INDEXED)
    for key in product(picture_ids, fed_index_ids(session)):
        entry = there.get(key) or Entry(
            picture_id=key[0], index_id=key[1], state=State.PENDING, queue=queue
        )
        if entry.state == State.FAILED:
            entry.state, entry.code, entry.message = State.PENDING, None, None
            entry.attempts, entry.queue = 0, queue
            entry.queued_at = entry.pending_since = now()
        if entry.state == State.PENDING:
            states[key[0]] = State.PENDING
        session.add(entry)
    return states


def _merged(
    checked: Sequence[_Sound | Rejected], accepted: Iterable[Accepted]
) -> list[Accepted | Rejected]:
    """The outcomes in the order of the uploads."""
    left = iter(accepted)
    return [next(left) if isinstance(item, _Sound) else item for item in checked]


def _accepted(
    sound: Sequence[_Sound],
    pictures: Mapping[str, UUID],
    states: Mapping[UUID, State],
    duplicates: set[str],
) -> list[Accepted]:
    answers = []
    seen = set(duplicates)
    for item in sound:
        picture_id = pictures[item.sha256]
        again = item.sha256 in seen
        answers.append(Accepted(item.upload.filename, picture_id, states[picture_id], again))
        seen.add(item.sha256)
    return answers


def _new_picture(item: _Sound, library: str, labels: Labels) -> Picture:
    staged, info = item.upload.staged, item.info
    labels = item.upload.labels or labels
    return Picture(
        id=new_id(),
        library=library,
        sha256=staged.sha256,
        bytes=staged.size,
        format=info.format,
        width=info.width,
        height=info.height,
        taken_at=info.taken_at,
        filename=clean_filename(item.upload.filename),
        title=labels.title,
        attributes=dict(labels.attributes),
        tag_rows=[PictureTag(tag=tag) for tag in sorted(set(labels.tags))],
    )


def clean_filename(name: str) -> str:
    """The last part of a path from any system, without control characters, at most 255 long."""
    last = PurePosixPath(name.replace("\\", "/")).name
    kept = "".join(letter for letter in last if unicodedata.category(letter)[0] != "C")
    end = kept[-255:].strip()
    return end if end.strip(". ") else "unnamed"


def _unique(ids: Iterable[UUID]) -> list[UUID]:
    return list(dict.fromkeys(ids))

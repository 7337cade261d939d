"""Bringing files in through the API: send in bounded batches, then watch each until it settles."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lookalike.cli.client import ApiError, Client
from lookalike.services.errors import UnavailableError

MAX_FILES = 32
MAX_BYTES = 8 * 1024 * 1024
"""A request carries at most this much, or one file: inside one process it passes through memory."""

MAX_PENDING = 1_000
"""Sending pauses while this many wait to be indexed, so memory does not grow with the import."""

WATCHED = 200
POLL_SECONDS = 0.25
STALLED_SECONDS = 600

PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".gif", ".tif", ".tiff"}
    | {".bmp", ".dib", ".heic", ".heif", ".hif"}
)


@dataclass(frozen=True, slots=True)
class Failed:
    """A file that did not become searchable, and why."""

    file: str
    code: str
    message: str


@dataclass(slots=True)
class Outcome:
    """What became of the files so far."""

    found: int = 0
    skipped: int = 0
    sent: int = 0
    indexed: int = 0
    duplicates: int = 0
    failures: list[Failed] = field(default_factory=list)

    @property
    def settled(self) -> int:
        """Files that are done with, well or badly."""
        return self.indexed + len(self.failures)


def find_pictures(paths: Iterable[Path]) -> tuple[list[Path], int]:
    """The files to bring in, and how many others were passed over.

    A file that is named is always taken. In folders, at any depth, those are taken whose name
    ends like a picture's; hidden files and folders are not looked at.
    """
    taken: list[Path] = []
    skipped = 0
    for path in paths:
        if not path.is_dir():
            taken.append(path)
            continue
        for file in sorted(_files_below(path)):
            if file.suffix.lower() in PICTURE_SUFFIXES:
                taken.append(file)
            else:
                skipped += 1
    return taken, skipped


def _files_below(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and not any(
            part.startswith(".") for part in path.relative_to(folder).parts
        ):
            yield path


class Transfer:
    """One import. `run` it; `on_progress` is called with the outcome whenever it has grown."""

    def __init__(
        self,
        client: Client,
        library: str,
        tags: list[str],
        on_progress: Callable[[Outcome], None],
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._client = client
        self._library = library
        self._tags = tags
        self._on_progress = on_progress
        self._stopped = stopped
        self._pending: dict[str, list[str]] = {}
        self._progressed = time.monotonic()
        self.outcome = Outcome()

    def run(self, files: list[Path]) -> Outcome:
        """Send all files and wait until each is indexed or failed.

        Ends early when `stopped` says so. Raises UnavailableError when nothing has moved for
        ten minutes; what was sent stays and is indexed later.
        """
        self.outcome.found = len(files)
        for batch in _batches(files):
            self._send(batch)
            self._watch(MAX_PENDING)
            if self._stopped():
                return self.outcome
        self._watch(0)
        return self.outcome

    def _send(self, batch: list[Path]) -> None:
        readable = [path for path in batch if self._is_readable(path)]
        if readable:
            for path, result in zip(readable, self._upload(readable), strict=True):
                self._note(path, result)
        self.outcome.sent += len(batch)
        self._moved()

    def _is_readable(self, path: Path) -> bool:
        try:
            path.open("rb").close()
        except OSError as error:
            reason = f"The file cannot be read ({error.strerror})."
            self.outcome.failures.append(Failed(str(path), "unreadable", reason))
            return False
        return True

    def _upload(self, paths: list[Path]) -> list[dict[str, Any]]:
        """The API's verdict on each file, in their order."""
        try:
            answer = self._client.upload(paths, self._library, self._tags)
        except ApiError as error:
            if "rejected" not in error.details:
                raise
            answer = {"images": [], "rejected": error.details["rejected"]}
        return _in_order(answer)

    def _note(self, path: Path, result: dict[str, Any]) -> None:
        if "code" in result:
            self.outcome.failures.append(Failed(str(path), result["code"], result["message"]))
            return
        self.outcome.duplicates += result["duplicate"]
        if result["state"] == "indexed":
            self.outcome.indexed += 1
        else:
            self._pending.setdefault(result["id"], []).append(str(path))

    def _watch(self, most: int) -> None:
        """Wait until at most `most` pictures are pending."""
        while len(self._pending) > most and not self._stopped():
            before = len(self._pending)
            self._look()
            if len(self._pending) < before:
                self._moved()
            elif time.monotonic() - self._progressed > STALLED_SECONDS:
                raise UnavailableError(
                    f"{before} pictures have been waiting for ten minutes without progress. They "
                    "are stored and will be indexed; see `lookalike status` and the server's log."
                )
            if len(self._pending) > most:
                time.sleep(POLL_SECONDS)

    def _look(self) -> None:
        ids = list(self._pending)[:WATCHED]
        shown = {image["id"]: image for image in self._client.images(ids)}
        for picture_id in ids:
            self._settle(picture_id, shown.get(picture_id))

    def _settle(self, picture_id: str, image: dict[str, Any] | None) -> None:
        if image is not None and image["state"] == "pending":
            return
        files = self._pending.pop(picture_id)
        if image is None:
            self._fail(files, "not_found", "Removed while waiting.")
        elif image["state"] == "failed":
            self._fail(files, image["error"]["code"], image["error"]["message"])
        else:
            self.outcome.indexed += len(files)

    def _fail(self, files: list[str], code: str, message: str) -> None:
        self.outcome.failures += [Failed(file, code, message) for file in files]

    def _moved(self) -> None:
        self._progressed = time.monotonic()
        self._on_progress(self.outcome)


def _batches(files: Iterable[Path]) -> Iterator[list[Path]]:
    batch: list[Path] = []
    total = 0
    for file in files:
        size = file.stat().st_size if file.exists() else 0
        if batch and (len(batch) == MAX_FILES or total + size > MAX_BYTES):
            yield batch
            batch, total = [], 0
        batch.append(file)
        total += size
    if batch:
        yield batch


def _in_order(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Accepted and rejected files together, as they were sent."""
    results: list[dict[str, Any]] = [*answer["images"], *answer["rejected"]]
    return sorted(results, key=lambda result: result["position"])

"""Bringing files in through the API: an import to which they are sent in bounded batches."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from lookalike.cli.client import ApiError, Client
from lookalike.services.errors import UnavailableError
from lookalike.services.sources.names import MAX_NAME, PICTURES, shown

MAX_FILES = 64
MAX_BYTES = 8 * 1024 * 1024
"""A request carries at most this much, or one file: inside one process it passes through memory."""

MAX_PENDING = 1_000
"""Sending pauses while this many wait to be indexed, so memory does not grow with the import."""

POLL_SECONDS = 0.25
STALLED_SECONDS = 600
LATEST = 200

GOING_ON = frozenset({"queued", "rehearsing", "running", "paused"})
"""States of an import that has not come to its end."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A file that did not become searchable, and why."""

    file: str
    code: str
    message: str


@dataclass(slots=True)
class Outcome:
    """What became of the files so far; `failures` are known at the end."""

    found: int = 0
    skipped: int = 0
    sent: int = 0
    indexed: int = 0
    duplicates: int = 0
    failed: int = 0
    failures: list[Failed] = field(default_factory=list)
    import_id: str | None = None
    state: str = "done"

    @property
    def settled(self) -> int:
        """Files that are done with, well or badly."""
        return self.indexed + self.failed

    @property
    def is_complete(self) -> bool:
        """Whether every file has become searchable."""
        return self.state == "done" and not self.failed


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
            if file.suffix.lower() in PICTURES:
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
    """One import. `run` it; `on_progress` is called with the outcome whenever it has grown.

    With `dry_run` it is a rehearsal: the files are sent, judged and stored nowhere.
    """

    def __init__(
        self,
        client: Client,
        library: str,
        tags: list[str],
        on_progress: Callable[[Outcome], None],
        stopped: Callable[[], bool] = lambda: False,
        *,
        dry_run: bool = False,
    ) -> None:
        self._client = client
        self._library = library
        self._tags = tags
        self._on_progress = on_progress
        self._stopped = stopped
        self._dry_run = dry_run
        self._import: dict[str, Any] = {}
        self._progressed = time.monotonic()
        self.outcome = Outcome()

    def run(self, files: Sequence[Path], name: str = "files") -> Outcome:
        """Send all files and wait until each is indexed or failed.

        Goes on with an import of the same files that was begun before. Ends early when `stopped`
        says so, or somebody cancels the import. Raises UnavailableError when nothing has moved
        for ten minutes; what was sent stays and is indexed later.
        """
        self.outcome.found = len(files)
        if files:
            self._note(self._client.start_import(self._wanted(files, name)))
            while self._goes_on() and self._import["found"] < len(files):
                self._send(_batch(files, self._import["found"]))
                self._wait_while(lambda one: one["pending"] > MAX_PENDING or _is_paused(one))
            self._wait_while(lambda one: one["state"] in GOING_ON)
            self.outcome.failures = list(self._failures())
        return self.outcome

    def was_done(self, files: Sequence[Path]) -> bool:
        """Whether one of the latest imports has brought in these very files."""
        wanted = self._wanted(files, "")
        told = ("kind", "source", "library", "tags", "dry_run")
        return any(
            one["state"] == "done" and all(one[name] == wanted[name] for name in told)
            for one in self._client.imports(LATEST)
        )

    def _wanted(self, files: Sequence[Path], name: str) -> dict[str, Any]:
        source = {"files": len(files), "fingerprint": fingerprint(files)}
        wanted = {"kind": "files", "name": name, "source": source}
        told = {"library": self._library, "tags": self._tags, "dry_run": self._dry_run}
        return wanted | told

    def _send(self, batch: Sequence[Path]) -> None:
        with ExitStack() as stack:
            opened = [_open(path, stack) for path in batch]
            files = [file for file in opened if not isinstance(file, str)]
            errors = [{"error": file} if isinstance(file, str) else {} for file in opened]
            items = [_named(path) | error for path, error in zip(batch, errors, strict=True)]
            self._note(self._sent(items, files))

    def _sent(self, items: list[dict[str, str]], files: Sequence[BinaryIO]) -> dict[str, Any]:
        """The import with these; a file that is too large for a request fails alone."""
        where = self._import["id"], self._import["found"]
        try:
            return self._client.send_files(*where, items, files)
        except ApiError as error:
            if error.code != "too_large" or len(items) > 1:
                raise
            refused = items[0] | {"code": error.code, "error": error.message}
            return self._client.send_files(*where, [refused], [])

    def _goes_on(self) -> bool:
        return self._import["state"] in GOING_ON and not self._stopped()

    def _wait_while(self, busy: Callable[[dict[str, Any]], bool]) -> None:
        """Wait until the import is no longer `busy`, or there is nothing to wait for."""
        while self._goes_on() and busy(self._import):
            time.sleep(POLL_SECONDS)
            self._note(self._client.get_import(self._import["id"]))
            if time.monotonic() - self._progressed > STALLED_SECONDS:
                raise UnavailableError(
                    f"{self._import['pending']} pictures have been waiting for ten minutes without "
                    "progress. They are stored and will be indexed; see `lookalike status` and "
                    "the server's log."
                )

    def _note(self, one: dict[str, Any]) -> None:
        """Take over how far the import is."""
        before, outcome = (self.outcome.sent, self.outcome.settled), self.outcome
        self._import = one
        outcome.import_id, outcome.state, outcome.sent = one["id"], one["state"], one["found"]
        outcome.indexed, outcome.failed = one["done"], one["failed"]
        outcome.duplicates = one["duplicate"]
        if (outcome.sent, outcome.settled) != before or _is_paused(one):
            self._progressed = time.monotonic()
        self._on_progress(outcome)

    def _failures(self) -> Iterator[Failed]:
        for one in self._client.all_import_failures(self._import["id"]):
            yield Failed(one["name"], one["code"], one["message"])


def fingerprint(files: Iterable[Path]) -> str:
    """What tells these files from others: SHA-256 of their paths and sizes."""
    told = hashlib.sha256()
    for file in files:
        told.update(f"{file.absolute()}\0{_size(file)}\0".encode("utf-8", "surrogateescape"))
    return told.hexdigest()


def _batch(files: Sequence[Path], position: int) -> list[Path]:
    """The files that go together into the next request."""
    batch: list[Path] = []
    total = 0
    for file in files[position : position + MAX_FILES]:
        total += _size(file)
        if batch and total > MAX_BYTES:
            break
        batch.append(file)
    return batch


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:  # told when it is opened
        return 0


def _open(path: Path, stack: ExitStack) -> BinaryIO | str:
    """The file, open until `stack` is closed, or why it cannot be read."""
    try:
        return stack.enter_context(path.open("rb"))
    except OSError as error:
        return f"The file cannot be read ({error.strerror})."


def _named(path: Path) -> dict[str, str]:
    return {"name": shown(str(path)[-MAX_NAME:])}


def _is_paused(one: dict[str, Any]) -> bool:
    return bool(one["state"] == "paused")

"""A file from a web server onto the disk: whole and checked, or not at all."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, TypeAlias

import httpx

from lookalike.services.errors import BusyError, UnavailableError

Progress: TypeAlias = Callable[[int, int | None], None]
"""Is called with the bytes that are there and the bytes of the whole, None where nobody knows."""

SECONDS = 30
"""Longest silence of the server."""


def fetch(url: str, target: Path, checksum: str, progress: Progress) -> None:
    """Make `target` the file at `url`, whose SHA-256 begins with `checksum`.

    Nothing happens if it is there. What an interrupted attempt has fetched lies in `target` with
    `.part` behind its name, and the next attempt goes on from there where the server can. Raises
    BusyError while another process fetches it, UnavailableError for all that goes wrong.
    """
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with part.open("ab") as file:
            _hold(file, target.name)
            if not target.is_file():
                _fill(file, url, progress)
                _sync(file)
                _check(part, checksum, url)
                part.replace(target)
    except httpx.HTTPError as error:
        raise _interrupted(url, error) from error
    except OSError as error:
        message = (
            f"{target} cannot be written: {error.strerror}. Check the disk and its permissions."
        )
        raise UnavailableError(message) from error


def is_whole(path: Path, checksum: str) -> bool:
    """Whether the SHA-256 of the file begins with `checksum`."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest().startswith(checksum)


def _hold(file: IO[bytes], name: str) -> None:
    try:
        # The kernel lets go when the process ends, however it ends.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BusyError(f"Another process is fetching {name}. Wait until it is done.") from error


def _fill(file: IO[bytes], url: str, progress: Progress) -> None:
    """Append what is missing, or all anew where the server starts at the beginning."""
    there = file.seek(0, os.SEEK_END)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={there}-"} if there else {})
    with httpx.stream(
        "GET", url, headers=headers, timeout=SECONDS, follow_redirects=True
    ) as answer:
        if there and answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # nothing is missing, or the part is of another file: the checksum tells
        answer.raise_for_status()
        if answer.status_code != httpx.codes.PARTIAL_CONTENT:
            file.truncate(there := 0)
        length = answer.headers.get("Content-Length", "")
        total = there + int(length) if length.isdigit() else None
        for block in answer.iter_raw():
            file.write(block)
            there += len(block)
            progress(there, total)


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _check(part: Path, checksum: str, url: str) -> None:
    if not is_whole(part, checksum):
        part.unlink()
        raise UnavailableError(
            f"What came from {url} is not the file that was asked for (its SHA-256 does not begin "
            f"with {checksum}). It was thrown away. Try again; if that does not help, the server "
            "or something before it has another file."
        )


def _interrupted(url: str, error: httpx.HTTPError) -> UnavailableError:
    if isinstance(error, httpx.HTTPStatusError):
        status = error.response.status_code
        return UnavailableError(
            f"{url} cannot be fetched: the server answers {status}. Try again later, or name "
            "another server with LOOKALIKE_WEIGHTS_URL.",
            status=status,
        )
    return UnavailableError(
        f"{url} could not be fetched to its end. What has come is kept: run the command again to "
        "go on. Without a way to that server, fetch the file elsewhere and name it in "
        "LOOKALIKE_WEIGHTS.",
        reason=str(error),
    )

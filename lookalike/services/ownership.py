"""Who owns a data folder. One process does: the embedded database and vectors need that."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from lookalike.services.errors import BusyError, ConfigurationError
from lookalike.services.file_locks import lock, take

LOCK_FILE = "owner.lock"

TAKING_SECONDS = 0.2
"""How long to try for a folder: those who only ask who owns it are in the way for an instant."""


DYING_SECONDS = 2.0
"""How long to wait for what a killed owner has left: a child that was just being started."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that holds a data folder, and where it answers, if it does.

    Whoever knows its `token` can read the data folder, and so may have the process read any file
    that it can read.
    """

    pid: int
    command: str
    url: str | None = None
    token: str = field(default="", compare=False, repr=False)


class Ownership:
    """Holds a data folder for this process until `release`, or until the process ends."""

    def __init__(self, folder: Path, command: str) -> None:
        """Take the folder, making it if needed. Raises BusyError that names the holder."""
        self._command = command
        self.token = secrets.token_urlsafe(32)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = _open_privately(folder / LOCK_FILE)
        except OSError as error:
            raise ConfigurationError(
                f"The data folder {str(folder)!r} cannot be used ({error.strerror}). "
                "Name another with --data or LOOKALIKE_DATA_DIR."
            ) from error
        if not _is_taken(self._file, folder):
            self._file.close()
            raise _busy(folder)
        self.announce(None)

    def announce(self, url: str | None) -> None:
        """Tell others where this process answers."""
        self._file.seek(0)
        self._file.truncate()
        owner = Owner(os.getpid(), self._command, url, self.token)
        json.dump(asdict(owner), self._file)
        self._file.flush()

    def release(self) -> None:
        """Let the folder go. May be called twice."""
        if not self._file.closed:
            self._file.seek(0)
            self._file.truncate()
            self._file.close()


def owner_of(folder: Path) -> Owner | None:
    """The process that holds the folder at this moment, None when nobody does."""
    try:
        with (folder / LOCK_FILE).open("r+") as file:
            return None if lock(file, fcntl.LOCK_SH) else _read(file)
    except FileNotFoundError:
        return None


def _open_privately(path: Path) -> IO[str]:
    """Open or make the file, which nobody else on this machine may read: it holds the token."""
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "a+")
    os.fchmod(file.fileno(), 0o600)
    return file


def _is_taken(file: IO[str], folder: Path) -> bool:
    return take(file, TAKING_SECONDS) or (_is_orphaned(folder) and take(file, DYING_SECONDS))


def _is_orphaned(folder: Path) -> bool:
    """Whether the process that took the folder is dead, and only a child of it still dies."""
    owner = owner_of(folder)
    return owner is None or (owner.pid > 0 and not _is_alive(owner.pid))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        pass
    return True


def _read(file: IO[str]) -> Owner:
    file.seek(0)
    try:
        return Owner(**json.loads(file.read()))
    except (ValueError, TypeError):  # the holder is just writing it
        return Owner(0, "another Lookalike process")


def _busy(folder: Path) -> BusyError:
    owner = owner_of(folder) or Owner(0, "another Lookalike process")
    where = f" and answers at {owner.url}" if owner.url else ""
    return BusyError(
        f"The data folder {str(folder)!r} is held by `{owner.command}` (process {owner.pid})"
        f"{where}. Use that one, stop it, or name another folder with --data.",
        pid=owner.pid,
        url=owner.url,
    )

"""Starting other people's servers so that none outlives the tests."""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1
START_SECONDS = 30


def free_port() -> int:
    """A port on loopback that nobody listens on at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def start(
    command: Sequence[str | Path], log: Path, *, user: str | None = None, **options: object
) -> subprocess.Popen[bytes]:
    """Start a server whose output goes to `log`; it dies with this process."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [str(part) for part in command],
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            preexec_fn=as_user(user),  # noqa: PLW1509  no thread of ours holds a lock then
            **options,
        )


def as_user(user: str | None) -> Callable[[], None]:
    """What a child process runs first, to be `user` and to die with this process."""
    return lambda: _become(user)


def unprivileged() -> str | None:
    """The user that servers which refuse to be root run as; None for whoever we are."""
    return "nobody" if os.getuid() == 0 else None


def _become(user: str | None) -> None:
    if user is not None:
        entry = pwd.getpwnam(user)
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def wait_until(condition: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
    """Wait until the condition holds; fail with `what` was waited for after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {seconds} seconds"
        time.sleep(0.05)

"""Locks on files that the kernel drops when their process ends, however it ends."""

from __future__ import annotations

import fcntl
import time
from typing import IO

POLL_SECONDS = 0.005


def lock(file: IO[str], kind: int) -> bool:
    """Lock the file now, as `kind` of fcntl says; whether that could be."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def take(file: IO[str], seconds: float) -> bool:
    """Lock the file for this process alone, trying for so long; whether that could be."""
    deadline = time.monotonic() + seconds
    while not lock(file, fcntl.LOCK_EX):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True

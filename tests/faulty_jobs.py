"""Jobs for processes that decode: each does harm, or tells about the process that it runs in.

Imported by those processes, so this file imports next to nothing.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import time
from pathlib import Path

from lookalike.services.adapters.decoding.jobs import make_thumbnail
from lookalike.services.imaging.limits import Limits

BLOCK = 16 * 1024 * 1024


def crash() -> None:
    """End as a bug in a decoder does."""
    os.kill(os.getpid(), signal.SIGSEGV)


def hang() -> None:
    """Never return, and let no other thread of this process run."""
    ctypes.PyDLL(None).sleep(1000)


def loop() -> None:
    """Never return."""
    while True:
        pass


def eat() -> None:
    """Take memory until there is no more."""
    taken = []
    while True:
        taken.append(bytes(BLOCK))


FAULTS = {job.__name__.encode(): job for job in (crash, hang, loop, eat)}


def thumbnail_or_harm(data: bytes, limits: Limits) -> bytes:
    """A small thumbnail, or the fault whose name follows the picture's own bytes."""
    for name, fault in FAULTS.items():
        if data.endswith(name):
            fault()
    return make_thumbnail(data, limits, 64)


def crash_once(data: bytes, limits: Limits, marker: str) -> bytes:
    """End the process, but only the first one that tries."""
    try:
        Path(marker).touch(exist_ok=False)
    except FileExistsError:
        return make_thumbnail(data, limits, 64)
    crash()
    return b""


def wait_for(_data: bytes, _limits: Limits, marker: str) -> int:
    """Say that it has begun, wait until it may end, and give this process's id."""
    Path(marker).with_suffix(f".{os.getpid()}").touch()
    while not Path(marker).exists():
        time.sleep(0.01)
    return os.getpid()


def interval(_data: bytes, _limits: Limits, seconds: float) -> tuple[float, float]:
    """When it began and ended, by the clock that all processes share."""
    began = time.monotonic()
    time.sleep(seconds)
    return began, time.monotonic()


def fail(_data: bytes, _limits: Limits) -> None:
    """A mistake of our own."""
    raise KeyError("a bug")


def pid(_data: bytes, _limits: Limits) -> int:
    """The process that ran this."""
    return os.getpid()


def surroundings(_data: bytes, _limits: Limits) -> dict[str, object]:
    """What the process is allowed and what it has loaded."""
    return {
        "modules": set(sys.modules),
        "leader": os.getsid(0) == os.getpid(),
        "core": resource.getrlimit(resource.RLIMIT_CORE),
        "memory": resource.getrlimit(resource.RLIMIT_AS)[0],
        "sacrifice": Path("/proc/self/oom_score_adj").read_text().strip(),
        "main": getattr(sys.modules["__main__"], "__file__", None),
    }

"""How much main memory a process and those that it started hold."""

from __future__ import annotations

import psutil


def held_memory(pid: int | None = None) -> int | None:
    """Bytes of main memory that this process, or `pid`, holds, with all below it; None if unknown.

    The process counts in full (RSS), and those below it, which decode, without the pages that they
    share or map from files: they are started anew, not forked, so those are mostly the libraries
    that the one above has loaded too. What gunicorn's processes have shared since they were forked
    counts in each; that is little, as each loads the platform for itself. Linux could tell each
    one's part of every page (PSS). That is 7 to 20% less, as other programs then carry some of the
    libraries, but it walks through all pages: 17 ms a gigabyte, too long with many for whoever
    waits half a second for all workers.
    """
    try:
        this = psutil.Process(pid)
        below = this.children(recursive=True)
        return int(this.memory_info().rss) + sum(_of_its_own(one) for one in below)
    except (psutil.Error, OSError):
        return None


def _of_its_own(process: psutil.Process) -> int:
    """Bytes that no other process shares; 0 once it is gone."""
    try:
        held = process.memory_info()
    except psutil.Error:
        return 0
    # Only Linux tells the shared part.
    return int(held.rss - getattr(held, "shared", 0))

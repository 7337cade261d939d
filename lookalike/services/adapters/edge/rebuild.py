"""Builds the search graph of a shard in a process of its own.

`python -m lookalike.services.adapters.edge.rebuild FOLDER PARENT` does the work, at the lowest
priority; `rebuild` starts that and waits. Building holds Python's global lock for as long as it
takes, which would freeze a process that serves pages.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from lookalike.services.adapters.edge.folder import sync_tree
from lookalike.services.adapters.edge.shard import Shard
from lookalike.services.errors import UnavailableError
from lookalike.services.priority import use_idle_cores

POLL_SECONDS = 0.05
SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux's prctl


class RebuildStoppedError(Exception):
    """The rebuild was given up because the collection is being closed."""


def rebuild(path: Path, stop: threading.Event) -> None:
    """Put all points of the shard in `path`, which nobody has open, into its graph.

    Raises RebuildStoppedError soon after `stop` is set, UnavailableError when it fails.
    """
    child = subprocess.Popen(  # noqa: S603 - our own module, and no shell
        [sys.executable, "-P", "-m", __name__, str(path), str(os.getpid())],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with child:
        try:
            _wait(child, stop)
        finally:
            child.kill()


def _wait(child: subprocess.Popen[str], stop: threading.Event) -> None:
    while child.poll() is None:
        if stop.wait(POLL_SECONDS):
            raise RebuildStoppedError
    if child.returncode:
        problem = child.stderr.read() if child.stderr else ""
        raise UnavailableError(
            "The search graph could not be built. Searching goes on without it, more slowly.",
            exit_status=child.returncode,
            reason=problem.strip().rpartition("\n")[2],
        )


def main(path: Path, parent: int) -> None:
    """Do the work, in the child process."""
    _die_with(parent)
    os.nice(19)
    use_idle_cores()
    shard = Shard.load(path)
    shard.optimize()
    shard.flush()
    shard.close()
    sync_tree(path)


def _die_with(parent: int) -> None:
    # Elsewhere an orphan ends by itself: nobody uses its folder, and the next start removes it.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the process that asked for this is gone")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

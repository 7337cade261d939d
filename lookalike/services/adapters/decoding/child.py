"""The process that decodes: `python -m ...decoding.child FD MEGABYTES 0|1`.

It reads functions and their arguments from the connection with that file descriptor, runs one at
a time and answers with what came of it. It ends when the connection does, and with its parent.
With 1, it steps back behind what answers people.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeAlias

# Loaded before the first task, and before memory is limited: what the tasks work with.
from lookalike.services.adapters.decoding import jobs
from lookalike.services.errors import LookalikeError
from lookalike.services.priority import step_back

Task: TypeAlias = tuple[Callable[..., Any], tuple[Any, ...]]
Outcome: TypeAlias = tuple[bool, Any]
"""Whether the function returned, and what; or else the exception to raise."""

LEASH = 0
"""Standard input: a pipe into which nobody writes, and which ends when the parent does."""

__all__ = ["Outcome", "Task", "jobs", "main"]


def main(connection: Connection, megabytes: int, *, background: bool) -> None:
    """Work until the connection ends. The first message says that this process is ready."""
    if background:
        step_back()
    _die_with_parent()
    _go_first_when_memory_ends()
    _limit_memory(megabytes)
    connection.send(os.getpid())
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            connection.send(_outcome(connection.recv()))


def _outcome(task: Task) -> Outcome:
    function, arguments = task
    try:
        return True, function(*arguments)
    except LookalikeError as error:
        return False, error
    except Exception:  # our own mistake: the parent's log should tell where
        return False, RuntimeError(f"A decoding process failed:\n{traceback.format_exc()}")


def _die_with_parent() -> None:
    """Let the kernel kill this process once the parent is gone, whatever it is doing by then.

    Not by PR_SET_PDEATHSIG, which looks at the thread that started this process, and those come
    and go. Elsewhere than on Linux an orphan ends with the task it has in hand.
    """
    if sys.platform == "linux":
        import fcntl  # noqa: PLC0415 - it has these names on Linux alone

        fcntl.fcntl(LEASH, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(LEASH, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(LEASH, fcntl.F_SETFL, fcntl.fcntl(LEASH, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([LEASH], [], [], 0)[0]:
        sys.exit("the process that asked for this is gone")


def _go_first_when_memory_ends() -> None:
    """Have the kernel choose this process before the parent, and the largest of its kind."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _limit_memory(megabytes: int) -> None:
    """Allow so much on top of what the interpreter and its libraries reserve; write no core."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):  # where there is no such file, the system does not keep such limits
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + megabytes * 1_000_000
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


if __name__ == "__main__":
    main(Connection(int(sys.argv[1])), int(sys.argv[2]), background=sys.argv[3] == "1")

"""Processes that run functions and may crash or hang without any harm to this one.

Each has a pipe of its own and one task at a time, so that it is certain which task ended it, and
so that killing one, at any moment, leaves nothing broken that the others need. Pools of the
standard library and of Pebble share a pipe and its lock between all workers: there, killing a
worker between two tasks makes the whole pool unusable.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Pipe
from typing import Any, TypeVar, cast

from lookalike.services.adapters.decoding.child import Outcome
from lookalike.services.errors import UnavailableError

T = TypeVar("T")

MODULE = "lookalike.services.adapters.decoding.child"

START_SECONDS = 60.0
"""A process starts in a quarter of a second; a busy machine may take far longer."""

WAITS = 2
"""How many of the longest tasks somebody waits for: whoever searches holds a thread meanwhile."""

MAX_TASKS = 5000
"""Then a process is replaced, so that what its libraries leak does not add up."""

# Pictures are decoded side by side already: threads of numerical libraries would only compete.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class ChildDiedError(Exception):
    """The process ended in the middle of a task."""


class OutOfTimeError(Exception):
    """The task took too long and was ended with its process."""


class Child:
    """One process. To be used by one thread at a time; `kill` may come from any."""

    def __init__(self, megabytes: int, *, background: bool) -> None:
        """Start it, without waiting until it is ready. OSError if the system cannot."""
        self._connection, theirs = Pipe()
        self._ready = False
        self._tasks = 0
        with theirs:
            arguments = [str(theirs.fileno()), str(megabytes), str(int(background))]
            self._process = subprocess.Popen(  # noqa: S603 - our own module, and no shell
                [sys.executable, "-P", "-m", MODULE, *arguments],
                env={**os.environ, **ONE_THREAD, "PYTHONPATH": os.pathsep.join(sys.path)},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C in the terminal is not for it
            )

    @property
    def usable(self) -> bool:
        """Whether it is alive and not due to be replaced."""
        return self._process.poll() is None and self._tasks < MAX_TASKS

    def run(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], timeout: float
    ) -> Outcome:
        """What came of the function.

        After ChildDiedError, OutOfTimeError or UnavailableError (it did not even start) it must
        be killed.
        """
        self._wait_until_ready()
        self._tasks += 1
        try:
            self._connection.send((function, arguments))
            if self._connection.poll(timeout):
                return cast(Outcome, self._connection.recv())
        except (EOFError, OSError) as error:
            raise ChildDiedError from error
        raise OutOfTimeError

    def kill(self) -> None:
        """End it at once and wait until it is gone."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()

    def release(self) -> None:
        """Kill it and give its pipe back. Nobody may be using it."""
        self.kill()
        self._connection.close()

    def _wait_until_ready(self) -> None:
        if self._ready:
            return
        try:
            self._ready = self._connection.poll(START_SECONDS) and bool(self._connection.recv())
        except (EOFError, OSError) as error:
            raise _not_started() from error
        if not self._ready:
            raise _not_started()


class Children:
    """A fixed number of processes, started when they are needed. Safe to use from threads.

    They belong to the process that first used them: one that is forked from it later would take
    its answers.
    """

    def __init__(self, count: int, seconds: float, megabytes: int, *, background: bool) -> None:
        self._seconds = seconds
        self._megabytes = megabytes
        self._background = background
        self._alive: set[Child] = set()
        self._closed = False
        self._owner: int | None = None
        self._lock = threading.Lock()
        # The last used comes first: where one process is enough, no other is started.
        self._idle: queue.LifoQueue[Child | None] = queue.LifoQueue()
        for _ in range(count):
            self._idle.put(None)

    def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Run `function`, which must be importable by name, in a process that is free.

        Waits for one, but not for ever. Raises the LookalikeError that the function raises,
        RuntimeError with its stack trace for anything else, ChildDiedError and OutOfTimeError
        when the process ended or was ended, and UnavailableError when none could be started, all
        were closed, or none became free in time.
        """
        with self._child() as child:
            good, value = child.run(function, arguments, self._seconds)
        if not good:
            raise value
        return cast(T, value)

    def warm(self) -> None:
        """Start a process, if none is there, without waiting for it."""
        with self._lock:
            if self._alive or self._closed:
                return
        with self._child():
            pass

    def close(self) -> None:
        """Kill every process, whatever it is doing. May be called twice."""
        with self._lock:
            self._closed = True
            for child in self._alive:
                child.kill()

    @contextmanager
    def _child(self) -> Iterator[Child]:
        if self._owner not in {None, os.getpid()}:
            raise _forked()
        try:
            child = self._idle.get(timeout=WAITS * self._seconds)
        except queue.Empty:
            raise _all_busy() from None
        try:
            if child is None or not child.usable:
                child = self._replace(child)
            yield child
        except BaseException as error:
            # Also for an interrupt: an answer to nobody would be taken for the next one's.
            self._end(child)
            child = None
            if self._closed:
                raise _closed() from error
            raise
        finally:
            self._idle.put(child)

    def _replace(self, old: Child | None) -> Child:
        self._end(old)
        with self._lock:
            if self._closed:
                raise _closed()
            try:
                child = Child(self._megabytes, background=self._background)
            except OSError as error:
                raise _not_started() from error
            self._alive.add(child)
            self._owner = os.getpid()
            return child

    def _end(self, child: Child | None) -> None:
        if child is not None:
            with self._lock:
                self._alive.discard(child)
            child.release()


def _not_started() -> UnavailableError:
    return UnavailableError(
        "Pictures cannot be decoded at the moment: the process that does it did not start. "
        "Look for a lack of memory, then try again."
    )


def _all_busy() -> UnavailableError:
    return UnavailableError(
        "All decoding processes are busy with pictures that take very long. Try again in a minute."
    )


def _forked() -> UnavailableError:
    return UnavailableError(
        "Pictures cannot be decoded in a process forked from one that has decoded some. Start the "
        "processes before the first request, or start them without fork."
    )


def _closed() -> UnavailableError:
    return UnavailableError("Pictures cannot be decoded any more: Lookalike is being stopped.")

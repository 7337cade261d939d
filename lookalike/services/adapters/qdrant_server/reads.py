"""Keeps reads from a slow or absent server from holding every thread of this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from lookalike.services.adapters.qdrant_server.errors import UnansweredError, unanswered

Answer = TypeVar("Answer")

PATIENCE_SECONDS = 0.5
"""A server is slow when a read has been without an answer for so long."""

REST_SECONDS = 1.0
"""How long no read is tried after one was not answered. Short: it is also the longest that a
server which is back goes unnoticed."""


class BoundedReads:
    """Runs reads, each within `seconds`, so that callers are free again by then.

    At most `places` reads are with the server at once. Further ones take turns while answers
    come, and are refused once the server is slow (a bulkhead). After a read that was not
    answered, all are refused for REST_SECONDS, then one is tried (a circuit breaker).
    """

    def __init__(self, seconds: float, places: int) -> None:
        self._seconds = seconds
        self._places = Places(places)
        self._breaker = Breaker(seconds)
        # A time-out of the HTTP client bounds each wait for a packet and no look-up of a name.
        # Only a thread that can be left behind bounds the whole.
        self._pool = ThreadPoolExecutor(places, thread_name_prefix="qdrant read")

    def run(self, doing: str, call: Callable[[], Answer]) -> Answer:
        """What `call` returns or raises. Raises UnansweredError within `seconds` otherwise."""
        deadline = time.monotonic() + self._seconds
        place = self._places.take(doing, deadline)
        try:
            self._breaker.check(doing)
            future = self._pool.submit(call)
        except BaseException:
            self._places.give_back(place)
            raise
        future.add_done_callback(lambda _: self._places.give_back(place))
        return self._wait(doing, future, deadline)

    def close(self) -> None:
        """End the threads, when the reads that they are at have ended."""
        self._pool.shutdown()

    def _wait(self, doing: str, future: Future[Answer], deadline: float) -> Answer:
        try:
            answer = future.result(max(0.0, deadline - time.monotonic()))
        except TimeoutError as error:
            self._breaker.trip()
            raise unanswered(doing, f"no answer within {self._seconds:g} s") from error
        except UnansweredError:
            self._breaker.trip()
            raise
        except BaseException:
            self._breaker.reset()
            raise
        self._breaker.reset()
        return answer


class Places:
    """Places for callers who wait for the server, each taken since some time."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._since: list[float] = []
        self._changed = threading.Condition()

    def take(self, doing: str, deadline: float) -> float:
        """Take a place, waiting until `deadline` at most, and only while answers come.

        Returns since when it is taken, for `give_back`. Raises UnansweredError otherwise.
        """
        with self._changed:
            while len(self._since) >= self._count:
                left = min(deadline, self._since[0] + PATIENCE_SECONDS) - time.monotonic()
                if left <= 0:
                    raise unanswered(doing, f"{self._count} others wait for an answer")
                self._changed.wait(left)
            now = time.monotonic()
            self._since.append(now)
            return now

    def give_back(self, since: float) -> None:
        """Give back the place that is taken since then."""
        with self._changed:
            self._since.remove(since)
            self._changed.notify()


class Breaker:
    """Remembers that the server did not answer, and lets one caller at a time find out."""

    def __init__(self, trial_seconds: float) -> None:
        self._trial_seconds = trial_seconds
        self._tripped = False
        self._closed_until = 0.0
        self._lock = threading.Lock()

    def check(self, doing: str) -> None:
        """Pass, or raise UnansweredError. Who passes while it is tripped makes the trial."""
        with self._lock:
            if not self._tripped:
                return
            now = time.monotonic()
            if now < self._closed_until:
                raise unanswered(doing, "it did not answer a moment ago")
            self._closed_until = now + self._trial_seconds

    def trip(self) -> None:
        """The server did not answer."""
        with self._lock:
            self._tripped = True
            self._closed_until = time.monotonic() + REST_SECONDS

    def reset(self) -> None:
        """The server answered, whatever it said."""
        with self._lock:
            self._tripped = False

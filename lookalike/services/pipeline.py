"""Overlap per-picture work on threads with batched work by whoever iterates.

Decoding a picture and computing a forward pass both let go of Python's global lock, so the next
batch can be decoded while the network works on this one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextvars import copy_context
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def batches(
    items: Iterable[T], work: Callable[[T], R], size: int, threads: int
) -> Iterator[list[R]]:
    """Apply `work` to `items` on `threads` threads; give the results in order, `size` at a time.

    The last list may be shorter; none is empty. While the caller is busy with one list, the next
    one is being worked on: at most `size + threads` results exist besides that list, however
    many items there are. `items` is read in the caller's thread, a little ahead. `work` should
    return its failures: whatever it raises ends the iteration and is raised here. Closing the
    iterator early waits for the work that has begun and drops the rest.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix="pipeline")
    try:
        results = _in_order(items, work, pool, ahead=size + threads)
        while batch := list(islice(results, size)):
            yield batch
    finally:
        pool.shutdown(cancel_futures=True)


def _in_order(
    items: Iterable[T], work: Callable[[T], R], pool: Executor, ahead: int
) -> Iterator[R]:
    begun: deque[Future[R]] = deque()
    for item in items:
        # With the caller's context, so that log events tell which task they belong to.
        begun.append(pool.submit(copy_context().run, work, item))
        if len(begun) > ahead:
            yield begun.popleft().result()
    while begun:
        yield begun.popleft().result()

"""Batches of threaded work: order, bounds, overlap and endings."""

from __future__ import annotations

import threading
import time
from itertools import count

import pytest
from structlog.contextvars import bound_contextvars, get_contextvars

from lookalike.services.pipeline import batches


def test_results_come_in_order_in_full_batches_and_a_shorter_last_one():
    def slower_at_first(number: int) -> int:
        time.sleep(0.01 / (number + 1))
        return number * number

    assert list(batches(range(7), slower_at_first, size=3, threads=4)) == [
        [0, 1, 4],
        [9, 16, 25],
        [36],
    ]


@pytest.mark.parametrize("items", [0, 6])
def test_no_batch_is_empty(items: int):
    assert [len(batch) for batch in batches(range(items), str, size=3, threads=2)] == [3] * (
        items // 3
    )


def test_work_logs_what_its_caller_logs():
    with bound_contextvars(task_id="one"):
        seen = list(batches(range(3), lambda _: get_contextvars(), size=2, threads=2))
    assert seen == [[{"task_id": "one"}] * 2, [{"task_id": "one"}]]


def test_read_ahead_is_bounded_for_endless_items():
    taken: list[int] = []
    endless = (taken.append(number) or number for number in count())
    stream = batches(endless, str, size=4, threads=2)
    for number in range(1, 20):
        next(stream)
        assert len(taken) <= number * 4 + 4 + 2
    stream.close()


def test_the_next_batch_is_worked_on_while_the_caller_is_busy():
    done = [threading.Event() for _ in range(4)]
    stream = batches(range(4), lambda number: done[number].set(), size=2, threads=1)
    next(stream)
    assert done[2].wait(10)
    assert done[3].wait(10)
    stream.close()


def test_work_runs_on_several_threads_at_once():
    together = threading.Barrier(3, timeout=10)
    assert list(batches(range(3), lambda _: together.wait() >= 0, size=3, threads=3)) == [
        [True, True, True]
    ]


def test_what_work_raises_ends_the_iteration():
    stream = batches([1, 0], lambda number: 1 // number, size=1, threads=1)
    assert next(stream) == [1]
    with pytest.raises(ZeroDivisionError):
        next(stream)


def test_closing_early_leaves_no_threads_behind():
    before = threading.active_count()
    stream = batches(range(1000), str, size=8, threads=4)
    next(stream)
    assert threading.active_count() > before
    stream.close()
    assert threading.active_count() == before

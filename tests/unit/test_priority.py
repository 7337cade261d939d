"""What works in the background steps back behind threads that answer people."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from lookalike.services.priority import STEPS, step_back, use_idle_cores

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="priorities of threads are Linux's")


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_a_thread_and_those_that_it_starts_step_back_and_the_others_do_not():
    before = niceness()
    with ThreadPoolExecutor(1, initializer=step_back) as stepped:
        assert stepped.submit(niceness).result() == before + STEPS

        def start_another() -> int:
            with ThreadPoolExecutor(1) as another:
                return another.submit(niceness).result()

        assert stepped.submit(start_another).result() == before + STEPS
    assert niceness() == before


def test_what_computes_runs_where_nothing_else_wants_to_and_the_others_do_not():
    with ThreadPoolExecutor(1, initializer=use_idle_cores) as computing:
        assert computing.submit(os.sched_getscheduler, 0).result() == os.SCHED_IDLE
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_a_machine_that_cannot_do_so_goes_on_without(monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    use_idle_cores()

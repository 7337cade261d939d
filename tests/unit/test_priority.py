"""What computes steps back behind threads that answer people."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from lookalike.services.adapters.priority import STEPS, step_back

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

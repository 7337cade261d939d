"""Work in the background leaves the cores to threads that answer people.

On Linux alone, where each thread is scheduled by itself; elsewhere nothing happens.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

STEPS = 10
"""Of the 19 there are. What works gets a tenth of what a thread that answers gets."""


def step_back() -> None:
    """Lower the priority of the calling thread, and of all threads and processes it will start.

    For what must get on, however busy the machine is: threads that run Python, as others may wait
    for what they hold, and processes that have only so much time.
    """
    if sys.platform == "linux":
        os.nice(STEPS)


def use_idle_cores() -> None:
    """Have the calling thread, and all that it will start, run where nothing else wants to.

    For what only computes. Any other thread that wakes up takes its core at once, where with
    `nice` alone it waits for the end of a slice of time.
    """
    if sys.platform == "linux":
        with suppress(OSError):  # a sandbox may not know how
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))

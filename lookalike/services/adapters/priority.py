"""Heavy computing steps back, so that threads which answer people find a core at once."""

from __future__ import annotations

import os
import sys

STEPS = 5
"""Of the 19 there are. What computes gets a third of what a thread of usual priority gets."""


def step_back() -> None:
    """Lower the priority of the calling thread, and of all threads and processes it will start.

    On Linux alone, where each thread has a priority of its own; elsewhere nothing happens.
    """
    if sys.platform == "linux":
        os.nice(STEPS)

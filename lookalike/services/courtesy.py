"""Background work gives way to the searches that the same process is answering.

Python runs one thread at a time. A search lets go of it at each row that it reads, and stands
behind whatever ran meanwhile: during an import, searches waited twice as long as they worked.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

LONGEST_SECONDS = 0.05
"""The wait at one step. However many people search, there are twenty steps a second."""


class Courtesy:
    """Knows whether this process is answering a search. One that only works never is."""

    def __init__(self) -> None:
        self._answering = 0
        self._changed = threading.Condition()

    @property
    def is_answering(self) -> bool:
        """Whether somebody waits at this moment."""
        return self._answering > 0

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Somebody waits for what this block finds."""
        with self._changed:
            self._answering += 1
        try:
            yield
        finally:
            with self._changed:
                self._answering -= 1
                self._changed.notify_all()

    def give_way(self) -> None:
        """Between two steps of work: wait until nobody is being answered, but not for long."""
        if self.is_answering:
            with self._changed:
                self._changed.wait_for(lambda: not self.is_answering, LONGEST_SECONDS)

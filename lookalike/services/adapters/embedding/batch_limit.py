"""How many pictures a device has memory for, learned from what it could do."""

from __future__ import annotations

GROW_AFTER = 100
"""Full batches that must have gone well before a larger one is tried: at most one pass in a hundred
is computed for nothing."""


class BatchLimit:
    """The most pictures for the next forward pass: `size`, from 1 to `largest`."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._good = 0
        self.size = largest

    def too_large(self, pictures: int) -> None:
        """So many did not fit: half of them at most from now on."""
        self.size = min(self.size, max(1, pictures // 2))
        self._good = 0

    def fitted(self, pictures: int) -> None:
        """So many fitted. Doubles the limit after `GROW_AFTER` times as many as it allows."""
        self._good += pictures == self.size
        if self._good == GROW_AFTER:
            self.size = min(2 * self.size, self._largest)
            self._good = 0

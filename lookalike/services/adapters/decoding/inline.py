"""Decoding in this process: for tests, and where a picture that crashes a decoder does not matter.

A picture that makes its decoder crash or hang takes this process with it.
"""

from __future__ import annotations

from collections.abc import Sequence

from lookalike.services.adapters.decoding import jobs
from lookalike.services.decoding import Prepared
from lookalike.services.imaging.limits import Limits
from lookalike.services.imaging.preparing import Box
from lookalike.services.records import Pixels, Recipe


class InlineDecoder:
    """A `Decoder` that works in the thread that calls it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def prepare_for_index(self, data: bytes, recipes: Sequence[Recipe], side: int) -> Prepared:
        """As the port promises."""
        with jobs.memory_told():
            return jobs.prepare_for_index(data, self._limits, recipes, side)

    def prepare_query(self, data: bytes, recipe: Recipe, box: Box | None) -> Pixels:
        """As the port promises."""
        with jobs.memory_told():
            return jobs.prepare_query(data, self._limits, recipe, box)

    def make_thumbnail(self, data: bytes, side: int) -> bytes:
        """As the port promises."""
        with jobs.memory_told():
            return jobs.make_thumbnail(data, self._limits, side)

    def warm(self) -> None:
        """As the port promises; there is nothing to start."""

    def close(self) -> None:
        """As the port promises; there is nothing to end."""

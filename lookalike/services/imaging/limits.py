"""How much picture is accepted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that keep one picture from exhausting the machine.

    `max_bytes` of the file, `max_pixels` of width x height, `min_side` of the shorter side.
    """

    max_bytes: int
    max_pixels: int
    min_side: int

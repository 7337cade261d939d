"""Pictures for every test and for the benchmark; none of them is kept in the repository."""

from __future__ import annotations

from tests.odd_files import BAD_NAMES, GOOD_NAMES, LIMITS, ODD, OddFile
from tests.scenes import picture, saved, scene

__all__ = ["BAD_NAMES", "GOOD_NAMES", "LIMITS", "ODD", "OddFile", "picture", "saved", "scene"]

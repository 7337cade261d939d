"""What several contract tests share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def models_cache(tmp_path_factory) -> Path:
    """Converted models, so that each is converted once in a run."""
    return tmp_path_factory.mktemp("models")

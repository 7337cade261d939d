"""The worker as a thread: one process may run a platform after another."""

from __future__ import annotations

from pathlib import Path

import pytest

from lookalike.cli.embedded import embedded
from lookalike.services.intake import Upload
from lookalike.services.labels import Labels
from lookalike.services.models import State
from lookalike.services.platform import Platform
from lookalike.services.settings import Settings
from tests.platforms import small
from tests.servers.processes import wait_until


def indexes(platform: Platform) -> bool:
    """Bring a picture in and wait until it is searchable."""
    with platform.staging.new() as staged:
        staged.write(small())
        [one] = platform.intake.add([Upload("one.jpg", staged)], "main", Labels())
    wait_until(lambda: platform.pictures.get(one.id).state == State.INDEXED, "it is indexed", 60)
    return True


@pytest.mark.xdist_group("models")
def test_a_second_platform_in_one_process_has_a_worker_too(tmp_path: Path):
    for name in ("first", "second"):
        settings = Settings(_env_file=None, data_dir=tmp_path / name, model="colors")
        with embedded(settings, "a test", worker=True) as running:
            assert indexes(running.platform)

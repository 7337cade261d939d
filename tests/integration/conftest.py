"""A data folder, servers on it, and pictures to bring in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.factories import picture
from tests.program import Server


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder that does not exist yet."""
    return tmp_path / "data"


@pytest.fixture
def start(data: Path) -> Iterator[Callable[..., Server]]:
    """Start servers on the data folder; those still running at the end are killed."""
    servers: list[Server] = []

    def begin(**settings: str) -> Server:
        servers.append(Server(data, **settings))
        return servers[-1]

    yield begin
    for server in servers:
        server.process.kill()
        server.process.communicate()
        server.http.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with 12 pictures in two sub-folders."""
    for number in range(12):
        path = tmp_path / "pictures" / ("even" if number % 2 == 0 else "odd") / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(seed=number))
    return tmp_path / "pictures"

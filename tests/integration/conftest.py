"""A data folder, servers on it, pictures to bring in, and the API over a platform of fakes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from lookalike.web.app import create_app
from tests.factories import picture
from tests.platforms import World, make_world
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


@pytest.fixture
def world(data: Path, database_url: str) -> Iterator[World]:
    """A platform of fakes with nothing in it, without a server."""
    made = make_world(data, database_url=database_url)
    yield made
    made.platform.close()


@pytest.fixture
def create_client() -> Callable[[World], FlaskClient]:
    """Makes the web app over a platform, called without sockets."""
    return lambda world: create_app(world.platform).test_client()


@pytest.fixture
def client(world: World, create_client: Callable[[World], FlaskClient]) -> FlaskClient:
    """The web app over `world`."""
    return create_client(world)

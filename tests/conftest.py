"""What all tests share: the two databases that everything has to work on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from lookalike.services.logs import configure_logs
from tests.cluster import Servers
from tests.servers.databases import Emptied


@pytest.fixture(scope="session")
def emptied() -> Iterator[Callable[[], str]]:
    """Gives the URL of an empty PostgreSQL database; the server is started for the first one."""
    made: list[Emptied] = []

    def url() -> str:
        if not made:
            made.append(Emptied())
        return made[0].url()

    yield url
    for one in made:
        one.stop()


@pytest.fixture
def database_url(request: pytest.FixtureRequest, emptied: Callable[[], str]) -> str:
    """Empty for SQLite, or a PostgreSQL's URL for tests marked `both_databases`."""
    return emptied() if getattr(request, "param", "sqlite") == "postgres" else ""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that are marked `both_databases` on each."""
    marked = metafunc.definition.get_closest_marker("both_databases")
    if marked and "database_url" in metafunc.fixturenames:
        metafunc.parametrize("database_url", ["sqlite", "postgres"], indirect=True)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """PostgreSQL, Valkey and Qdrant's double, running."""
    started = Servers(tmp_path_factory.mktemp("servers"))
    yield started
    started.stop()


@pytest.fixture(autouse=True, scope="session")
def _quiet_logs() -> None:
    """Only what goes wrong; a failing test would drown in the rest."""
    configure_logs("warning")

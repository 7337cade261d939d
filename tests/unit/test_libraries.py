"""Libraries: made once, listed by name, refused by their names' rule."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from lookalike.services.db import Database
from lookalike.services.errors import InvalidRequestError, NotFoundError
from lookalike.services.libraries import Libraries

pytestmark = pytest.mark.both_databases


@pytest.fixture
def libraries(db: Database) -> Libraries:
    return Libraries(db)


@pytest.mark.parametrize("name", ["a", "Museum-2", "_private", "x" * 100, "a.b-c_d", "0"])
def test_a_library_is_made_empty_and_listed(libraries: Libraries, name: str):
    made = libraries.create(name)
    assert (made.name, made.images) == (name, 0)
    assert libraries.list() == [made]
    assert libraries.get(name) == made
    libraries.require(name)


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a/b", "../up", ".hidden", "-x", "é", "x" * 101, "a\n", "a\0", "名"]
)
def test_other_names_are_refused_with_the_rule(libraries: Libraries, name: str):
    with pytest.raises(InvalidRequestError, match="1 to 100 letters") as caught:
        libraries.create(name)
    assert caught.value.details == {"field": "name"}
    assert libraries.list() == []


def test_making_it_again_finds_it_as_it_was(libraries: Libraries):
    assert libraries.create("a") == libraries.create("a")
    assert len(libraries.list()) == 1


def test_many_at_once_make_one(libraries: Libraries):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(libraries.create, ["same"] * 16))
    assert len(set(made)) == 1
    assert libraries.list() == made[:1]


def test_they_are_listed_by_name(libraries: Libraries):
    for name in ("b", "a", "c"):
        libraries.create(name)
    assert [one.name for one in libraries.list()] == ["a", "b", "c"]


def test_one_that_is_not_there_is_named_and_the_default_is_offered(libraries: Libraries):
    libraries.ensure_default()
    for ask in (libraries.get, libraries.require):
        with pytest.raises(NotFoundError, match=r"'attic'.*'main'") as caught:
            ask("attic")
        assert caught.value.details == {"library": "attic"}

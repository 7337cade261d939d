"""Reading in slices: nothing is left out, nothing given twice, little is held."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, select

from lookalike.services.consistency import reading
from lookalike.services.consistency.reading import IdSet, pages
from lookalike.services.db import Database
from lookalike.services.models import Library
from lookalike.services.slices import sliced

ids = st.binary(min_size=4, max_size=4) | st.sampled_from([b"\0\0\0\0", b"a\0\0\0", b"\0\0\0a"])


@given(st.lists(ids), st.lists(ids))
def test_a_set_of_ids_lacks_what_was_never_put_in(there: list[bytes], asked: list[bytes]):
    known = IdSet(4)
    known.add(there[:3])
    known.add(there[3:])
    assert known.lacks(asked) == [one not in there for one in asked]
    assert known.lacks(there) == [False] * len(there)


@given(st.lists(st.integers()), st.integers(1, 5))
def test_slices_join_to_the_whole(items: list[int], size: int):
    parts = list(sliced(iter(items), size))
    assert [item for part in parts for item in part] == items
    assert all(0 < len(part) <= size for part in parts)


def test_pages_give_every_row_that_stays_once(db: Database, monkeypatch):
    monkeypatch.setattr(reading, "SLICE", 7)
    names = [f"{number:04}" for number in range(100)]
    random.Random(1).shuffle(names)
    with db.write() as session:
        session.add_all(Library(name=name) for name in names)
    given_names = []
    for page in pages(db, select(Library.name), Library.name):
        assert len(page) <= 7
        given_names += [name for (name,) in page]
        with db.write() as session:
            session.execute(delete(Library).where(Library.name == page[0][0]))
    assert given_names == sorted(names)

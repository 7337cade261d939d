"""Background work gives way to searches: it waits for them, but not for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from unittest.mock import Mock

import pytest

from lookalike.services import courtesy
from lookalike.services.courtesy import Courtesy
from lookalike.services.models import State
from tests.platforms import World, small

LONG = 60.0


@pytest.fixture
def patient(monkeypatch) -> Courtesy:
    """One whose work waits for as long as it takes."""
    monkeypatch.setattr(courtesy, "LONGEST_SECONDS", LONG)
    return Courtesy()


@pytest.fixture
def hasty(monkeypatch) -> None:
    monkeypatch.setattr(courtesy, "LONGEST_SECONDS", 0.001)


def begun(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_work_goes_on_where_nobody_is_answered(patient: Courtesy):
    with patient.answering():
        pass
    work = begun(patient.give_way)
    work.join(LONG / 2)
    assert not work.is_alive()


def test_work_waits_until_the_last_one_is_answered(patient: Courtesy):
    with patient.answering():
        with patient.answering():
            work = begun(patient.give_way)
            work.join(0.2)
            assert work.is_alive()
        work.join(0.2)
        assert work.is_alive()
    work.join(LONG / 2)
    assert not work.is_alive()


def test_a_search_that_fails_is_over_too(patient: Courtesy):
    with pytest.raises(ValueError, match="broken"), patient.answering():
        raise ValueError("broken")
    assert not patient.is_answering


@pytest.mark.usefixtures("hasty")
def test_work_does_not_wait_for_ever():
    subject = Courtesy()
    with subject.answering():
        subject.give_way()
        assert subject.is_answering


@pytest.mark.usefixtures("hasty")
def test_pictures_are_indexed_and_an_index_is_built_while_searches_never_end(world: World):
    with world.platform.courtesy.answering():
        ids = world.indexed(small(1), small(2))
        world.build()
    assert [world.state(one) for one in ids] == [State.INDEXED, State.INDEXED]


def test_indexing_waits_for_a_search_before_each_step(world: World, monkeypatch):
    [picture_id] = world.add(small())
    give_way = Mock()
    monkeypatch.setattr(Courtesy, "give_way", give_way)
    world.work()
    assert world.state(picture_id) == State.INDEXED
    # Before the batch, three times while it is decoded, before it is embedded, stored, recorded
    # and its promises are kept.
    assert give_way.call_count == 8


def test_measuring_an_index_waits_for_a_search_before_each_query(world: World, monkeypatch):
    world.indexed(small(1), small(2))
    [live] = world.platform.reindexing.list()
    give_way = Mock()
    monkeypatch.setattr(Courtesy, "give_way", give_way)
    world.platform.reindexing.measure(live.row.id)
    world.build()
    assert give_way.call_count >= 2

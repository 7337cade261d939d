"""Items of a source become staged files: in order, and over a network several at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lookalike.services.errors import FetchFailedError, SourceError
from lookalike.services.importing.taking import AT_ONCE, BATCH_ITEMS, take
from lookalike.services.labels import Labels
from lookalike.services.sources.records import Found, Item, Sink
from lookalike.services.staging import Staging

WAIT_SECONDS = 30


class Given:
    """A reader of these items."""

    def __init__(self, items: Iterator[Item]) -> None:
        self.position = 0
        self._items = items

    def next(self) -> Item | None:
        item = next(self._items, None)
        self.position += item is not None
        return item


@pytest.fixture
def staging(tmp_path: Path) -> Iterator[Staging]:
    made = Staging(tmp_path, 1000)
    yield made
    made.close()


def found(position: int, read: Callable[[Sink], None], *, apart: bool) -> Found:
    return Found(position, f"{position}", Labels(), read, apart)


def writes(number: int) -> Callable[[Sink], None]:
    return lambda sink: sink.write(bytes([number])) and None


def taken(staging: Staging, items: Iterator[Item]) -> tuple[list[int | str], bool]:
    """The byte of each item, or its error's code, and whether the source has ended."""
    with ExitStack() as stack:
        batch = take(Given(items), staging, stack)
        assert [item.position for item in batch.items] == list(range(len(batch.items)))
        kept: list[int | str] = []
        for item in batch.items:
            if item.staged is None:
                kept.append(item.error.code)
            else:
                item.staged.seal()
                kept.append(item.staged.path.read_bytes()[0])
        return kept, batch.ended


@pytest.mark.parametrize("apart", [True, False])
def test_items_come_in_their_order_whole_batches_at_a_time(staging: Staging, apart: bool):
    items = (found(one, writes(one), apart=apart) for one in range(BATCH_ITEMS + 5))
    assert taken(staging, items) == (list(range(BATCH_ITEMS)), False)
    rest = (found(one, writes(one), apart=apart) for one in range(5))
    assert taken(staging, rest) == ([0, 1, 2, 3, 4], True)


def test_what_comes_over_a_network_is_read_several_at_a_time(staging: Staging):
    together = threading.Barrier(AT_ONCE)

    def wait(sink: Sink) -> None:
        together.wait(WAIT_SECONDS)
        sink.write(b"a")

    items = (found(one, wait, apart=True) for one in range(2 * AT_ONCE))
    assert taken(staging, items) == ([97] * 2 * AT_ONCE, True)


def test_what_is_not_apart_is_read_before_the_next_item_is_taken(staging: Staging):
    order: list[str] = []

    def items() -> Iterator[Item]:
        for one in range(3):
            order.append(f"take {one}")
            yield found(one, lambda sink, one=one: order.append(f"read {one}"), apart=one == 1)

    with ExitStack() as stack:
        take(Given(items()), staging, stack)
    assert order.index("read 0") < order.index("take 1")
    assert order.index("read 2") > order.index("take 2") > order.index("take 1")


def test_one_that_cannot_be_had_stops_no_other(staging: Staging):
    def fail(sink: Sink) -> None:
        sink.write(b"half")
        raise FetchFailedError("The server went away.")

    items = (found(one, fail if one == 1 else writes(one), apart=True) for one in range(3))
    assert taken(staging, items) == ([0, "fetch_failed", 2], True)


def test_a_source_that_breaks_off_leaves_no_file(staging: Staging, tmp_path: Path):
    def items() -> Iterator[Item]:
        yield found(0, writes(1), apart=True)
        raise SourceError("It ends in the middle.")

    with pytest.raises(SourceError):
        taken(staging, items())
    assert [path for path in tmp_path.glob("*/*") if path.is_file()] == []


def test_only_some_are_taken_and_it_ends_behind_the_last_of_them(staging: Staging):
    reader = Given(found(one, writes(one), apart=one % 2 == 0) for one in range(20))
    with ExitStack() as stack:
        batch = take(reader, staging, stack, [3, 4, 9])
    assert [item.position for item in batch.items] == [3, 4, 9]
    assert (reader.position, batch.ended) == (10, False)


def test_a_few_that_lie_far_apart_are_reached_however_long_that_takes(
    staging: Staging, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("lookalike.services.importing.taking.BATCH_SECONDS", 0.0)
    reader = Given(found(one, writes(one % 200), apart=False) for one in range(500))
    with ExitStack() as stack:
        batch = take(reader, staging, stack, [300, 400])
    assert [item.position for item in batch.items] == [300]
    assert reader.position < 400  # the rest is another batch

"""People who search all the while, page after page, and what each of their answers must be."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import httpx

LIMIT = 5
DIGITS = 4

Neighbours: TypeAlias = list[tuple[str, float]]
Expected: TypeAlias = Mapping[str, Mapping[str, Neighbours]]
"""By index and picture: its neighbours in that index, best first, with their scores."""


@dataclass(frozen=True)
class Page:
    """One answer: `sequence` numbers the first page and those that go on with it."""

    sequence: int
    picture: str
    offset: int
    status: int
    index: str = ""
    model: str = ""
    results: tuple[tuple[str, float], ...] = ()


class Searcher(threading.Thread):
    """Searches with stored pictures, and goes on through all pages of the index that answered."""

    def __init__(self, url: str, ids: Sequence[str]) -> None:
        super().__init__(daemon=True)
        self._http = httpx.Client(base_url=url, timeout=60, trust_env=False)
        self._ids = ids
        self._ended = threading.Event()
        self.pages: list[Page] = []
        self.broken: list[BaseException] = []

    def __enter__(self) -> Searcher:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join(60)

    def run(self) -> None:
        """Until the block ends."""
        chance = random.Random(0)
        sequence = 0
        try:
            while not self._ended.is_set():
                self._follow(sequence, chance.choice(self._ids))
                sequence += 1
        except Exception as error:
            self.broken.append(error)

    def _follow(self, sequence: int, picture: str) -> None:
        index = None
        for offset in range(0, len(self._ids) - 1, LIMIT):
            page = self._page(sequence, picture, offset, index)
            self.pages.append(page)
            if page.status != 200:
                return
            index = page.index

    def _page(self, sequence: int, picture: str, offset: int, index: str | None) -> Page:
        answer = ask(self._http, picture, LIMIT, offset, index)
        if answer.status_code != 200:
            return Page(sequence, picture, offset, answer.status_code)
        found = answer.json()
        made_by = found["index"]
        results = tuple(scores(found))
        return Page(sequence, picture, offset, 200, made_by["id"], made_by["model"], results)


def ask(
    http: httpx.Client, picture: str, limit: int, offset: int = 0, index: str | None = None
) -> httpx.Response:
    """Search with a stored picture."""
    asked = {"like": [picture], "limit": limit, "offset": offset, "exact": True}
    return http.post("/search", json=asked | ({"index": index} if index else {}))


def neighbours(http: httpx.Client, ids: Sequence[str], index: str) -> dict[str, Neighbours]:
    """All neighbours of each of these pictures in the index, which may be ready or live."""
    found = {}
    for picture in ids:
        answer = ask(http, picture, len(ids), 0, index)
        answer.raise_for_status()
        found[picture] = scores(answer.json())
    return found


def scores(answer: Mapping[str, Any]) -> Neighbours:
    """Pictures and scores of an answer."""
    return [(one["image"]["id"], round(one["score"], DIGITS)) for one in answer["results"]]


def sequences(pages: Sequence[Page]) -> Iterator[list[Page]]:
    """The pages of each search."""
    found: dict[int, list[Page]] = {}
    for page in pages:
        found.setdefault(page.sequence, []).append(page)
    yield from found.values()


def assert_each_from_one_index(pages: Sequence[Page], expected: Expected) -> None:
    """No answer is an error, is empty, or mixes; nor does what one gets page by page.

    Only a further page of an index that was retired meanwhile may be refused, as not found.
    """
    for sequence in sequences(pages):
        assert sequence[0].status == 200, sequence[0]
        assert {page.status for page in sequence[1:-1]} <= {200}
        assert sequence[-1].status in {200, 404}, sequence[-1]
        answered = [page for page in sequence if page.status == 200]
        assert len({(page.index, page.model) for page in answered}) == 1, answered
        for page in answered:
            known = expected[page.index][page.picture]
            assert_same(page.results, known[page.offset : page.offset + LIMIT])


def assert_same(results: Sequence[tuple[str, float]], known: Sequence[tuple[str, float]]) -> None:
    """The scores are those of this index, to a rounding; ties may come in any order."""
    assert results, "an empty answer"
    assert len(results) == len(known)
    for (_, score), (_, wanted) in zip(results, known, strict=True):
        assert abs(score - wanted) < 10**-DIGITS * 2, (results, known)


def switches(pages: Sequence[Page]) -> int:
    """How often one search was answered by another index than the one before it."""
    first = [sequence[0].index for sequence in sequences(pages)]
    return sum(one != other for one, other in pairwise(first))

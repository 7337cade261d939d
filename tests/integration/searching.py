"""People who search all the while, page after page, and what each of their answers must be."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import httpx

LIMIT = 5
DIGITS = 4

Neighbours: TypeAlias = list[tuple[str, float]]
Expected: TypeAlias = Mapping[str, Mapping[str, Neighbours]]
"""By index and question: its answer from that index, best first, with the scores."""


@dataclass(frozen=True)
class Question:
    """A search that is asked again and again: `query`, about a picture of its own if it has one.

    `found` is how many pictures answer it, in whatever index.
    """

    name: str
    query: Mapping[str, Any]
    found: int
    picture: bytes = b""


@dataclass(frozen=True)
class Page:
    """One answer: `sequence` numbers the first page and those that go on with it."""

    sequence: int
    question: str
    offset: int
    status: int
    index: str = ""
    model: str = ""
    results: tuple[tuple[str, float], ...] = ()


class Searcher(threading.Thread):
    """Asks questions, and goes on through all pages of the index that answered."""

    def __init__(self, url: str, questions: Sequence[Question]) -> None:
        super().__init__(daemon=True)
        self._http = httpx.Client(base_url=url, timeout=60, trust_env=False)
        self._questions = questions
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
                self._follow(sequence, chance.choice(self._questions))
                sequence += 1
        except Exception as error:
            self.broken.append(error)

    def _follow(self, sequence: int, question: Question) -> None:
        index = None
        for offset in range(0, question.found, LIMIT):
            page = page_of(self._http, sequence, question, offset, index)
            self.pages.append(page)
            if page.status != 200:
                return
            index = page.index


def page_of(
    http: httpx.Client, sequence: int, question: Question, offset: int, index: str | None
) -> Page:
    """One page; with an `index`, it goes on with one that this index gave."""
    answer = ask(http, question, LIMIT, offset, index)
    if answer.status_code != 200:
        return Page(sequence, question.name, offset, answer.status_code)
    found = answer.json()
    made_by, results = found["index"], tuple(scores(found))
    return Page(sequence, question.name, offset, 200, made_by["id"], made_by["model"], results)


def across(
    http: httpx.Client, questions: Sequence[Question], happens: Callable[[], object]
) -> list[Page]:
    """The first page of each question, and when that has happened, the rest of its pages."""
    first = [page_of(http, number, one, 0, None) for number, one in enumerate(questions)]
    happens()
    rest = [
        page_of(http, number, one, offset, first[number].index)
        for number, one in enumerate(questions)
        for offset in range(LIMIT, one.found, LIMIT)
    ]
    return [*first, *rest]


def ask(
    http: httpx.Client, question: Question, limit: int, offset: int = 0, index: str | None = None
) -> httpx.Response:
    """Ask the live index, or another one."""
    place = {"limit": limit, "offset": offset} | ({"index": index} if index else {})
    query = {**question.query, **place}
    if not question.picture:
        return http.post("/search", json=query)
    picture = {"image": ("query.jpg", question.picture)}
    return http.post("/search", files=picture, data={"query": json.dumps(query)})


def answers(http: httpx.Client, questions: Sequence[Question], index: str) -> dict[str, Neighbours]:
    """The whole answer to each question from the index, which may be ready or live."""
    found = {}
    for one in questions:
        answer = ask(http, one, one.found + 1, 0, index)
        answer.raise_for_status()
        found[one.name] = scores(answer.json())
        assert len(found[one.name]) == one.found, one
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
            known = expected[page.index][page.question]
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

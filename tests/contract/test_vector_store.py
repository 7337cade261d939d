"""What every vector store promises, run against each implementation."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from itertools import count
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lookalike.services.adapters.edge.collection import EdgeCollection
from lookalike.services.adapters.edge.store import EdgeStore
from lookalike.services.adapters.qdrant_server.options import QdrantOptions
from lookalike.services.adapters.qdrant_server.store import QdrantStore
from lookalike.services.filters import AnyOf, Condition, Filter, NoneOf, Range, parse_filter
from lookalike.services.ports import VectorCollection, VectorQuery, VectorStore
from lookalike.services.records import (
    CollectionSpec,
    Distance,
    Orientation,
    Point,
    Scalar,
    Storage,
    target,
)
from tests.contract.points import EAST, NORTH, SPEC, angle, found, payload, point, vector
from tests.fakes import MemoryVectorStore
from tests.qdrant_double.engine import Engine
from tests.qdrant_double.process import running

REAL_SERVER = os.environ.get("LOOKALIKE_TEST_QDRANT_URL", "")
UNHURRIED = QdrantOptions(url=REAL_SERVER, search_seconds=30)
IMPLEMENTATIONS = [
    "fake",
    "edge",
    "edge-float16",
    "qdrant-memory",
    "qdrant-http",
    pytest.param(
        "qdrant-server",
        marks=pytest.mark.skipif(not REAL_SERVER, reason="LOOKALIKE_TEST_QDRANT_URL is not set"),
    ),
]


class HalfStore(EdgeStore):
    """Edge, where every collection is made for FLOAT16."""

    def open(self, name: str, spec: CollectionSpec) -> EdgeCollection:
        """See VectorStore."""
        return super().open(name, replace(spec, storage=Storage.FLOAT16))


@pytest.fixture(scope="module", params=IMPLEMENTATIONS)
def implementation(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def store(implementation: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VectorStore]:
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("vectors")
        yield stack.enter_context(closing(new_store(implementation, folder, stack)))


def new_store(implementation: str, folder: Path, stack: ExitStack) -> VectorStore:
    """An empty store; what it needs while it is used is left to `stack` to end."""
    if implementation == "fake":
        return MemoryVectorStore()
    if implementation == "edge":
        return EdgeStore(folder)
    if implementation == "edge-float16":
        return HalfStore(folder)
    if implementation == "qdrant-memory":
        engine = Engine()
        return QdrantStore(UNHURRIED, lambda _: engine)
    if implementation == "qdrant-http":
        return QdrantStore(replace(UNHURRIED, url=stack.enter_context(running()).url))
    real = QdrantStore(UNHURRIED)
    for name in (*Distance, "variety", *(f"random-{one}" for one in Distance), "one_1", "Two-2"):
        real.drop(name)
    return real


@pytest.fixture
def error(implementation: str) -> float:
    """What numbers up to 2 may be off by: half precision has 11 bits."""
    return 2**-10 if implementation == "edge-float16" else 1e-6


@pytest.fixture(scope="module", params=Distance)
def distance(request: pytest.FixtureRequest) -> Distance:
    return request.param


@pytest.fixture
def collection(store: VectorStore, distance: Distance) -> Iterator[VectorCollection]:
    """Empty; one of each distance for every test, since making one takes half a second."""
    shared = store.open(distance, CollectionSpec(SPEC.dimensions, distance))
    yield shared
    shared.delete(list(shared.vectors([UUID(int=number) for number in range(LARGEST_ID)])))
    assert shared.count() == 0


LARGEST_ID = 2000

# Points


def test_a_new_collection_is_empty_and_finds_nothing(collection):
    assert collection.count() == 0
    assert found(collection) == []
    assert collection.vectors([UUID(int=1)]) == {}
    assert collection.wait_until_optimized(5)


def test_points_are_found_best_first_with_their_score(collection, distance, error):
    """Of four numbers, a distance of 1 is a root mean square of 1/2, and the root of 3 of 0.866."""
    collection.upsert([point(1, angle(60)), point(2, angle(0)), point(3, angle(120))])
    hits = collection.search(VectorQuery("main", [EAST]))
    scores = {Distance.COSINE: [1, 0.5, -0.5], Distance.EUCLID: [1, 1 / 1.5, 1 / 1.8660254]}
    assert [hit.id.int for hit in hits] == [2, 1, 3]
    assert [hit.score for hit in hits] == pytest.approx(scores[distance], abs=error)


def test_length_counts_for_distances_and_not_for_cosines(collection, distance):
    collection.upsert([point(1, 5 * EAST), point(2, angle(10)), point(3, 100 * EAST)])
    expected = {Distance.COSINE: [1, 3, 2], Distance.EUCLID: [2, 1, 3]}
    assert found(collection, EAST) == expected[distance]
    assert found(collection, 80 * EAST, limit=1) == [{"cosine": 1, "euclid": 3}[distance]]
    kept = collection.vectors([UUID(int=1)])[UUID(int=1)]
    assert kept == pytest.approx(EAST if distance is Distance.COSINE else 5 * EAST)


def test_a_point_with_a_known_id_replaces_the_older_one_entirely(collection):
    collection.upsert([point(1, EAST, tags=("old",), attributes={"brand": "x"})])
    collection.upsert([point(1, NORTH, library="other")])
    assert collection.count() == 1
    assert found(collection) == []
    assert found(collection, NORTH, library="other") == [1]
    assert collection.vectors([UUID(int=1)])[UUID(int=1)] == pytest.approx(NORTH)
    assert found(collection, library="other", conditions=[AnyOf(("tags",), ("old",))]) == []


def test_of_two_points_with_one_id_the_later_counts(collection):
    collection.upsert([point(1, tags=("first",)), point(1, tags=("second",))])
    assert collection.count() == 1
    assert found(collection, conditions=[AnyOf(("tags",), ("second",))]) == [1]


def test_nothing_to_do_is_fine(collection):
    collection.upsert([])
    collection.set_payload({})
    collection.delete([])
    assert collection.count() == 0


@pytest.mark.parametrize("bad", [vector(1, 0, 0), np.array([np.nan, 0, 0, 0], dtype=np.float32)])
def test_a_vector_that_does_not_fit_is_refused_and_changes_nothing(collection, bad):
    with pytest.raises(ValueError, match="4 finite numbers"):
        collection.upsert([point(1), point(2, bad)])
    assert collection.count() == 0


def test_deleted_points_are_gone_and_unknown_ids_are_passed_over(collection):
    collection.upsert([point(number) for number in range(1, 6)])
    collection.delete([UUID(int=2), UUID(int=4), UUID(int=99)])
    assert found(collection) == [1, 3, 5]
    assert collection.count() == 3


def test_a_new_payload_replaces_the_older_one_and_keeps_the_vector(collection):
    collection.upsert([point(1, NORTH, tags=("old",), taken=5.0)])
    collection.set_payload({UUID(int=1): payload(tags=("new",)), UUID(int=99): payload()})
    assert found(collection, conditions=[AnyOf(("tags",), ("new",))]) == [1]
    assert found(collection, conditions=[AnyOf(("tags",), ("old",))]) == []
    assert found(collection, conditions=[Range(("taken",), gte=0)]) == []
    assert collection.vectors([UUID(int=1)])[UUID(int=1)] == pytest.approx(NORTH)
    assert collection.count() == 1


def test_vectors_come_back_as_given_for_the_ids_that_are_there(collection, error):
    rows = np.random.default_rng(1).normal(size=(600, 4)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    collection.upsert([point(number, row) for number, row in enumerate(rows)])
    stored = collection.vectors([UUID(int=number) for number in range(700)])
    assert set(stored) == {UUID(int=number) for number in range(600)}
    assert {row.dtype for row in stored.values()} == {np.dtype(np.float32)}
    assert np.allclose([stored[UUID(int=number)] for number in range(600)], rows, atol=error)


def test_counting_is_exact_in_one_library_and_in_all(collection):
    collection.upsert([point(number, library=f"l{number % 3}") for number in range(1000)])
    collection.delete([UUID(int=number) for number in range(0, 300, 3)])
    assert collection.count() == 900
    assert [collection.count(f"l{number}") for number in range(4)] == [234, 333, 333, 0]


def test_one_point_in_any_library_is_enough_not_to_be_empty(collection):
    assert collection.is_empty()
    collection.upsert([point(number, library="other") for number in range(3)])
    assert not collection.is_empty()
    collection.delete([UUID(int=number) for number in range(2)])
    assert not collection.is_empty()
    collection.delete([UUID(int=2)])
    assert collection.is_empty()


def test_a_collection_gives_a_sign_of_life_with_points_and_without(collection):
    collection.check()
    collection.upsert([point(1)])
    collection.check()


def test_a_scan_gives_every_point_once_with_the_payload_that_it_has(collection):
    awkward = {"day": 10.0, "n": 1, "on": True, "off": "True", "é.b": "", "far": 10**300 + 1}
    numbers = np.random.default_rng(4).normal(size=600) * 1e5
    points = [
        point(number, added=1.7e9 + number / 1e6, attributes={**awkward, "x": float(x)})
        for number, x in enumerate(numbers)
    ]
    points[7] = replace(
        points[7], payload=payload(tags=("a", "é"), words=("é",), taken=-1.5, library="other")
    )
    collection.upsert(points)
    collection.delete([UUID(int=3)])
    collection.set_payload({UUID(int=4): payload(tags=("new",))})
    expected = {one.id: one.payload for one in points} | {UUID(int=4): payload(tags=("new",))}
    del expected[UUID(int=3)]
    scanned = [one for part in collection.scan() for one in part]
    assert len(scanned) == 599
    assert {one.id: one.payload for one in scanned} == expected


def test_a_scan_of_an_empty_collection_gives_nothing(collection):
    assert [one for part in collection.scan() for one in part] == []


def test_points_that_stay_are_scanned_once_while_others_come_and_go(collection):
    collection.upsert([point(number) for number in range(0, 1500, 2)])
    scanned: list[int] = []
    for turn, part in enumerate(collection.scan()):
        scanned += [one.id.int for one in part]
        collection.upsert([point(number) for number in range(1, 1500, 10)])
        collection.delete(
            [UUID(int=number) for number in range(turn * 100 + 1, turn * 100 + 50, 2)]
        )
    assert sorted(number for number in scanned if number % 2 == 0) == list(range(0, 1500, 2))
    assert len(set(scanned)) == len(scanned)


# Queries


def test_limit_and_offset_cut_pages_that_join_without_gap_or_overlap(collection):
    collection.upsert([point(number, angle(number)) for number in range(50)])
    pages = [found(collection, limit=7, offset=offset) for offset in range(0, 56, 7)]
    assert [number for page in pages for number in page] == list(range(50))
    assert found(collection, limit=0) == []
    assert found(collection, limit=10, offset=50) == []


def test_ties_are_ordered_by_id_on_every_page(collection):
    numbers = np.random.default_rng(2).permutation(300)
    collection.upsert([point(int(number), NORTH) for number in numbers])
    collection.upsert([point(1000, EAST)])
    assert found(collection, limit=3) == [1000, 0, 1]
    assert found(collection, limit=5, offset=41) == [40, 41, 42, 43, 44]
    assert found(collection, limit=5, offset=298) == [297, 298, 299]


def test_a_score_equal_to_the_threshold_is_enough(collection):
    collection.upsert([point(1, EAST), point(2, angle(60)), point(3, NORTH), point(4, angle(120))])
    scores = {hit.id.int: hit.score for hit in collection.search(VectorQuery("main", [EAST]))}
    assert found(collection, min_score=scores[2]) == [1, 2]
    assert found(collection, min_score=scores[3]) == [1, 2, 3]
    assert found(collection, min_score=scores[2] + 1e-6) == [1]
    assert found(collection, min_score=scores[3], offset=1, limit=1) == [2]
    assert found(collection, min_score=1.1) == []


def test_exact_search_agrees(collection):
    collection.upsert([point(number, angle(4 * number)) for number in range(45)])
    assert found(collection, angle(40.8), limit=4, exact=True) == [10, 11, 9, 12]


def test_likes_and_unlikes_aim_at_one_target(collection, distance):
    rows = np.random.default_rng(3).normal(size=(200, 4)).astype(np.float32)
    collection.upsert([point(number, row) for number, row in enumerate(rows)])
    like, unlike = list(rows[:2]), [rows[2]]
    if distance is Distance.COSINE:
        like, unlike = [vector(*row) for row in like], [vector(*row) for row in unlike]
    middle = np.mean(like, axis=0)
    aims = [2 * middle - unlike[0], middle, -unlike[0]]
    for aim, (wanted, unwanted) in zip(
        aims, ((like, unlike), (like, ()), ((), unlike)), strict=True
    ):
        aimed = found(collection, like=wanted, unlike=unwanted, limit=20)
        assert aimed == found(collection, target(wanted, unwanted, distance), limit=20)
        cosines = rows @ aim / np.linalg.norm(rows, axis=1)
        far = np.linalg.norm(rows - aim, axis=1)
        assert aimed[0] == np.argmax(cosines if distance is Distance.COSINE else -far)


def test_ids_that_are_left_out_make_room_for_the_next(collection):
    collection.upsert([point(number, angle(number)) for number in range(30)])
    left_out = frozenset(UUID(int=number) for number in (0, 1, 2, 5, 77))
    assert found(collection, without=left_out, limit=4) == [3, 4, 6, 7]
    assert found(collection, without=left_out, limit=4, offset=2) == [6, 7, 8, 9]


def test_a_library_never_shows_in_another(collection):
    collection.upsert([point(number, library=f"l{number % 2}") for number in range(10)])
    assert found(collection, library="l1") == [1, 3, 5, 7, 9]
    assert found(collection, library="main") == []
    collection.set_payload({UUID(int=1): payload(library="l0")})
    assert found(collection, library="l1") == [3, 5, 7, 9]
    assert found(collection, library="l0") == [0, 1, 2, 4, 6, 8]


# Filters, each test reading the same collection: points 1 to 4 differ in every field

VARIETY = [
    point(
        1,
        tags=("sea", "été"),
        words=("brown", "dog", "sea"),
        width=100,
        height=10,
        bytes=1,
        taken=1.5,
        added=10.0,
    ),
    point(2, tags=("sea", "日本 2"), format="png", width=200, height=20, bytes=2**40, added=20.0),
    point(
        3,
        tags=("Sea",),
        words=("dog", "日本", "日", "本"),
        format="webp",
        orientation=Orientation.SQUARE,
        width=300,
        height=300,
    ),
    point(4, orientation=Orientation.PORTRAIT, width=400, height=500, taken=-100.25, added=30.0),
]


@pytest.fixture(scope="module")
def variety(store: VectorStore) -> VectorCollection:
    collection = store.open("variety", SPEC)
    collection.upsert(VARIETY)
    for library, name in enumerate(ATTRIBUTE_NAMES, start=1):
        collection.upsert([*with_attribute(library, name)])
    return collection


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", [1, 2, 3, 4]),
        ('{"tags": {"any": ["sea"]}}', [1, 2]),
        ('{"tags": {"any": ["été", "Sea", "missing"]}}', [1, 3]),
        ('{"tags": {"all": ["sea", "日本 2"]}}', [2]),
        ('{"tags": {"none": ["sea"]}}', [3, 4]),
        ('{"tags": {"any": ["sea", "Sea"], "all": ["sea"], "none": ["été"]}}', [2]),
        ('{"text": "dog"}', [1, 3]),
        ('{"text": "DOG, brown!"}', [1]),
        ('{"text": "日本"}', [3]),
        ('{"text": "brown cat"}', []),
        ('{"text": "bro"}', []),
        ('{"text": "?"}', [1, 2, 3, 4]),
        ('{"text": "dog", "tags": {"any": ["Sea"]}}', [3]),
        ('{"format": ["png", "webp"]}', [2, 3]),
        ('{"orientation": "landscape"}', [1, 2]),
        ('{"orientation": "square"}', [3]),
        ('{"width": {"gte": 200, "lte": 300}}', [2, 3]),
        ('{"height": {"lte": 20}}', [1, 2]),
        ('{"bytes": {"gte": 1099511627776}}', [2]),
        ('{"taken": {"from": "1970-01-01"}}', [1]),
        ('{"taken": {"to": "1970-01-01T00:00:02Z"}}', [1, 4]),
        ('{"added": {"from": "1970-01-01T00:00:20Z", "to": "1970-01-01T00:00:30Z"}}', [2, 4]),
        ('{"tags": {"any": ["sea"]}, "format": ["jpeg"], "width": {"lte": 100}}', [1]),
        ('{"tags": {"any": ["sea"]}, "orientation": "square"}', []),
    ],
)
def test_every_part_of_a_filter_works_alone_and_with_others(variety, text, expected):
    conditions = parse_filter(text).conditions()
    assert found(variety, conditions=conditions) == expected
    assert found(variety, conditions=conditions, exact=True) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (AnyOf(("width",), (100, 300.0)), [1, 3]),
        (AnyOf(("width",), ("100", True)), []),
        (AnyOf(("tags",), (1, "sea")), [1, 2]),
        (AnyOf(("tags",), ()), []),
        (NoneOf(("tags",), ()), [1, 2, 3, 4]),
        (NoneOf(("width",), (100, 300.0)), [2, 4]),
        (NoneOf(("width",), ("100",)), [1, 2, 3, 4]),
        (NoneOf(("taken",), (1.5,)), [2, 3, 4]),
        (Range(("taken",)), [1, 4]),
        (Range(("tags",), gte=0), []),
    ],
)
def test_conditions_that_no_filter_makes_keep_to_their_definition(variety, condition, expected):
    assert found(variety, conditions=[condition]) == expected


ATTRIBUTE_NAMES = ["price", "a.b c", "größe; 100%", "attributes.price", "name", "0"]
ATTRIBUTES: list[Scalar] = [10, 10.0, 10.5, "10", True, False, 0, 1, -3, "été", "", 2**53 + 1]


def with_attribute(library: int, name: str) -> Iterator[Point]:
    """A point for each value of the attribute, in a library of their own."""
    for at, held in enumerate(ATTRIBUTES):
        yield point(100 * library + at, library=name, attributes={name: held, "no": 10})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (10, [0, 1]),
        (10.0, [0, 1]),
        ("10", [3]),
        (True, [4]),
        (False, [5]),
        (0, [6]),
        (-0.0, [6]),
        (1, [7]),
        (1.0, [7]),
        ("été", [9]),
        ("", [10]),
        (2**53 + 1, [11]),
        (2**53, []),
        ("missing", []),
    ],
)
@pytest.mark.parametrize("name", ATTRIBUTE_NAMES)
def test_attributes_of_any_name_equal_by_value_and_type(variety, name, value, expected):
    def held_by(condition: Condition) -> list[int]:
        return [one % 100 for one in found(variety, library=name, conditions=[condition])]

    key = ("attributes", name)
    assert held_by(AnyOf(key, (value,))) == expected
    others = [number for number in range(len(ATTRIBUTES)) if number not in expected]
    assert held_by(NoneOf(key, (value,))) == others
    assert held_by(AnyOf(("attributes", f"{name}x"), (value,))) == []


def test_attributes_lie_in_a_range_by_their_own_name_and_only_as_numbers(collection):
    collection.upsert(
        [
            point(1, attributes={"price": 10, "weight": 1}),
            point(2, attributes={"price": 1, "weight": 10}),
            point(3, attributes={"price": "10"}),
            point(4, attributes={"price": True}),
            point(5, attributes={"price": 10.5}),
            point(6, attributes={}),
            point(7, attributes={"price": 10**400}),
        ]
    )
    price, weight = ("attributes", "price"), ("attributes", "weight")
    assert found(collection, conditions=[Range(price, gte=10, lte=10.5)]) == [1, 5]
    assert found(collection, conditions=[Range(price, lte=9.99)]) == [2]
    assert found(collection, conditions=[Range(price, gte=11)]) == [7]
    assert found(collection, conditions=[Range(price, gte=5), Range(weight, lte=5)]) == [1]
    assert found(collection, conditions=[Range(price, gte=5), Range(weight, gte=5)]) == []


# The same as a plain evaluation, on random points and filters

WORDS = ["a", "B", "été"]
NAMES = ["brand", "a.b c"]
VALUES: list[Scalar] = ["a", "1", "", 0, 1, 1.0, 2.5, -7, True, False]
CORNERS = [vector(*row) for row in np.eye(4)]
numbers = st.none() | st.integers(0, 4)
scalars = st.sampled_from(VALUES)
FIELDS = ["tags", "words", "format", "width"]
keys = st.sampled_from([*((one,) for one in FIELDS), *(("attributes", n) for n in NAMES)])
payloads = st.builds(
    payload,
    tags=st.lists(st.sampled_from(WORDS), unique=True).map(tuple),
    words=st.lists(st.sampled_from(WORDS), unique=True).map(tuple),
    format=st.sampled_from(WORDS),
    orientation=st.sampled_from(Orientation),
    width=st.integers(0, 4),
    height=st.integers(0, 4),
    bytes=st.integers(0, 4),
    taken=numbers.map(lambda value: value and float(value)),
    added=st.floats(0, 4),
    attributes=st.dictionaries(st.sampled_from(NAMES), scalars),
)
ranges = st.tuples(numbers, numbers).map(
    lambda ends: (
        dict(zip(("gte", "lte"), ends, strict=True))
        if None in ends
        else {"gte": min(ends), "lte": max(ends)}
    )
)
words = st.lists(st.sampled_from(WORDS), max_size=2)
filters = st.builds(
    Filter,
    tags=st.none() | st.fixed_dictionaries({"any": words, "all": words, "none": words}),
    text=st.none() | words.map(" ".join),
    format=st.none() | st.lists(st.sampled_from(["a", "été"]), min_size=1, max_size=2),
    orientation=st.none() | st.sampled_from([str(one) for one in Orientation]),
    width=st.none() | ranges,
    bytes=st.none() | ranges,
    attributes=st.none() | st.dictionaries(st.sampled_from(NAMES), scalars | ranges, max_size=2),
)
conditions = st.one_of(
    st.builds(AnyOf, keys, st.lists(scalars, max_size=3).map(tuple)),
    st.builds(NoneOf, keys, st.lists(scalars, max_size=3).map(tuple)),
    st.builds(Range, st.sampled_from([("width",), ("taken",), ("attributes", NAMES[0])]), numbers),
)


LIBRARIES = count()
AHEAD = {
    # Of length 1 to ten digits as it stands in float32: engines may scale it again, or not.
    Distance.COSINE: vector(11, 6, 5, 4),
    # Whole numbers, so that no engine rounds a squared distance.
    Distance.EUCLID: np.array([4, 3, 2, 1], dtype=np.float32),
}


PRECISE = [one for one in IMPLEMENTATIONS if one not in ("fake", "edge-float16")]


@pytest.mark.parametrize("implementation", PRECISE, indirect=True, scope="module")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.lists(st.tuples(st.sampled_from(CORNERS), payloads), max_size=8),
    asked=st.one_of(filters.map(Filter.conditions), st.lists(conditions, max_size=3)),
    window=st.tuples(st.integers(1, 4), st.integers(0, 3)),
)
def test_random_points_and_filters_give_the_hits_of_the_fake(store, distance, rows, asked, window):
    library = f"library {next(LIBRARIES)}"  # a fresh one for each example
    points = [Point(uuid4(), where, replace(held, library=library)) for where, held in rows]
    query = VectorQuery(library, [AHEAD[distance]], (), tuple(asked), frozenset(), *window)
    name, spec = f"random-{distance}", CollectionSpec(SPEC.dimensions, distance)
    answers = []
    for collection in (store.open(name, spec), MemoryVectorStore().open(name, spec)):
        collection.upsert(points)
        answers.append(collection.search(query))
    assert answers[0] == answers[1]


# Collections


def test_collections_are_named_opened_once_and_dropped(store):
    others = store.names()
    one, two = store.open("one_1", SPEC), store.open("Two-2", CollectionSpec(dimensions=8))
    assert store.open("one_1", SPEC) is one
    assert store.names() == sorted([*others, "Two-2", "one_1"])
    one.upsert([point(1)])
    assert two.count() == 0
    store.drop("one_1")
    store.drop("one_1")
    assert store.names() == sorted([*others, "Two-2"])
    assert store.open("one_1", SPEC).count() == 0


def test_many_threads_update_and_search_at_once(collection):
    collection.upsert([point(number, angle(number / 10)) for number in range(900)])
    stable = list(range(10))

    def write(part: int) -> None:
        for number in range(1000 + part, 2000, 4):
            collection.upsert([point(number, NORTH)])
            collection.set_payload({UUID(int=number): payload(tags=("late",))})
            if number % 3 == 0:
                collection.delete([UUID(int=number)])

    def read(_: int) -> bool:
        return all(found(collection, limit=10) == stable for _ in range(50))

    with ThreadPoolExecutor(8) as pool:
        writing = [pool.submit(write, part) for part in range(4)]
        reading = [pool.submit(read, part) for part in range(4)]
        assert all(one.result() for one in reading)
        assert [one.result() for one in writing] == [None] * 4
    late = {number for number in range(1000, 2000) if number % 3}
    assert collection.count() == 900 + len(late)
    condition: Condition = AnyOf(("tags",), ("late",))
    assert set(found(collection, conditions=[condition], limit=2000)) == late

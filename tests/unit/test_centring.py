"""Centring against what it promises: differences remain, lengths are 1, and it is stored whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lookalike.services.centring import LEAST, Centred, centre, fit, from_bytes, to_bytes
from lookalike.services.errors import InvalidRequestError, UnavailableError
from lookalike.services.imaging.preparing import prepare
from lookalike.services.records import Distance
from tests.factories import scene
from tests.fake_embedder import RECIPE, FakeEmbedder

COMMON = np.array([3, 0, 0, 0], np.float32)


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def in_a_cone(count: int, seed: int = 0):
    return unit(COMMON + np.random.default_rng(seed).standard_normal((count, 4)))


def test_the_mean_is_float32_and_exact_for_many_vectors():
    vectors = in_a_cone(50_000)
    mean = fit(vectors)
    assert mean.dtype == np.float32
    np.testing.assert_array_equal(mean, vectors.astype(np.float64).mean(axis=0).astype(np.float32))


def test_too_few_pictures_have_no_mean():
    assert fit(in_a_cone(LEAST)).shape == (4,)
    with pytest.raises(InvalidRequestError, match=f"at least {LEAST} pictures") as caught:
        fit(in_a_cone(LEAST - 1))
    assert caught.value.details == {"pictures": LEAST - 1, "least": LEAST}


def test_what_all_vectors_share_is_gone_and_what_sets_them_apart_is_left():
    vectors = in_a_cone(1000)
    rest = centre(vectors, fit(vectors))
    assert rest.dtype == np.float32
    assert np.linalg.norm(rest, axis=1) == pytest.approx(1, abs=1e-6)
    assert (vectors @ vectors.T).mean() > 0.5
    assert abs((rest @ rest.T).mean()) < 0.05


def test_a_vector_that_equals_the_mean_becomes_zero():
    same = np.repeat(in_a_cone(1), LEAST, axis=0)
    np.testing.assert_array_equal(centre(same, fit(same)), np.zeros_like(same))


def test_a_mean_is_stored_as_little_endian_float32():
    assert to_bytes(np.array([1, -2], np.float32)) == b"\x00\x00\x80\x3f\x00\x00\x00\xc0"
    mean = fit(in_a_cone(LEAST))
    again = from_bytes(to_bytes(mean), 4)
    assert again.dtype == np.float32
    np.testing.assert_array_equal(again, mean)


@pytest.mark.parametrize("data", [b"", bytes(15), bytes(20)])
def test_a_stored_mean_of_another_length_is_damaged(data):
    with pytest.raises(UnavailableError, match="Build the index again"):
        from_bytes(data, 4)


def test_a_centred_embedder_is_the_other_one_without_the_mean():
    plain = FakeEmbedder()
    library = plain.embed([prepare(scene(seed), RECIPE) for seed in range(LEAST)])
    embedder = Centred(plain, fit(library))
    pictures = [prepare(scene(seed), RECIPE) for seed in range(3)]
    np.testing.assert_array_equal(
        embedder.embed(pictures), centre(plain.embed(pictures), fit(library))
    )
    assert embedder.forward_batch == plain.forward_batch


def test_the_definition_says_that_vectors_are_centred():
    definition = Centred(FakeEmbedder(), np.zeros(49, np.float32)).definition
    assert definition == replace(FakeEmbedder().definition, centred=True)
    assert definition.steps == "letterbox 32, average pool, L2, centred"


def test_centring_is_refused_where_it_changes_no_distance():
    euclidean = FakeEmbedder()
    euclidean.definition = replace(euclidean.definition, distance=Distance.EUCLID)
    with pytest.raises(InvalidRequestError, match="changes no distance"):
        Centred(euclidean, np.zeros(49, np.float32))

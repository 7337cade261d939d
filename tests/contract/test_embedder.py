"""What `ports.Embedder` and `ports.Embedders` promise, asked of every implementation."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from lookalike.services.adapters.embedding import baselines
from lookalike.services.adapters.embedding.efficientnet import MODELS
from lookalike.services.adapters.embedding.openvino_embedder import OpenVinoEmbedder
from lookalike.services.adapters.embedding.registry import ModelRegistry
from lookalike.services.adapters.embedding.torch_embedder import TorchEmbedder
from lookalike.services.centring import LEAST, Centred, fit
from lookalike.services.errors import NotFoundError
from lookalike.services.imaging.preparing import prepare
from lookalike.services.ports import Embedder, Embedders
from lookalike.services.records import Distance, Pixels, Weights
from tests.factories import scene
from tests.fake_embedder import FakeEmbedder, FakeEmbedders
from tests.small_network import SmallNetwork

# One worker converts the models for all of these.
pytestmark = pytest.mark.xdist_group("models")

FORWARD_BATCH = 4


@pytest.fixture(
    scope="module",
    params=["fake", "centred", *baselines.MODELS, "torch on cpu", "torch on cuda", *MODELS],
)
def embedder(request, models_cache, tmp_path_factory) -> Embedder:
    if request.param == "fake":
        return FakeEmbedder()
    if request.param == "centred":
        return centred(FakeEmbedder())
    if request.param in baselines.MODELS:
        return ModelRegistry("auto", FORWARD_BATCH, None).get(request.param)
    if request.param.startswith("torch"):
        device = request.param.split()[-1]
        if device == "cuda" and not torch.cuda.is_available():
            pytest.skip("PyTorch finds no GPU")
        small = SmallNetwork(tmp_path_factory.mktemp("small") / "weights.pth")
        return TorchEmbedder(small.network, device, "auto", FORWARD_BATCH)
    network = MODELS[request.param]
    if network.find_weights() is None:
        pytest.skip(network.hint)
    return OpenVinoEmbedder(network, "auto", FORWARD_BATCH, models_cache)


def centred(embedder: Embedder) -> Embedder:
    library = [prepare(scene(seed), embedder.definition.recipe) for seed in range(LEAST)]
    return Centred(embedder, fit(embedder.embed(library)))


@pytest.fixture
def pictures(embedder: Embedder) -> list[Pixels]:
    return [prepare(scene(seed), embedder.definition.recipe) for seed in range(FORWARD_BATCH + 3)]


def test_rows_are_float32_of_the_defined_length(embedder, pictures):
    vectors = embedder.embed(pictures)
    assert vectors.shape == (len(pictures), embedder.definition.dimensions)
    assert vectors.dtype == np.float32


def test_rows_of_cosine_models_have_unit_length_even_for_plain_pictures(embedder, pictures):
    plain = [np.full_like(pictures[0], value) for value in (0, 127, 255)]
    lengths = np.linalg.norm(embedder.embed(pictures + plain), axis=1)
    if embedder.definition.distance is Distance.COSINE:
        assert lengths == pytest.approx(1, abs=1e-6)
    else:
        assert np.ptp(lengths) > 0.01


def test_no_pictures_give_no_rows(embedder):
    vectors = embedder.embed([])
    assert vectors.shape == (0, embedder.definition.dimensions)
    assert vectors.dtype == np.float32


def test_rows_come_in_the_order_of_the_pictures(embedder, pictures):
    forward, backward = embedder.embed(pictures), embedder.embed(pictures[::-1])
    assert cosines(forward, backward[::-1]).min() > 1 - 1e-5
    assert cosines(forward, backward).min() < 0.99


def test_a_row_does_not_depend_on_its_batch(embedder, pictures):
    together = embedder.embed(pictures)
    for size in (1, 2, 3):
        apart = [embedder.embed(pictures[at : at + size]) for at in range(0, len(pictures), size)]
        assert cosines(together, np.concatenate(apart)).min() > 1 - 1e-5


def test_the_same_pictures_give_the_same_rows(embedder, pictures):
    np.testing.assert_array_equal(embedder.embed(pictures), embedder.embed(pictures))


def test_pictures_are_not_changed(embedder, pictures):
    before = [picture.copy() for picture in pictures]
    embedder.embed(pictures)
    np.testing.assert_array_equal(before, pictures)


def test_a_changed_copy_is_nearer_than_any_other_picture(embedder, pictures):
    copy = np.clip(pictures[0].astype(int) + 12, 0, 255).astype(np.uint8)
    distances = np.linalg.norm(embedder.embed([copy]) - embedder.embed(pictures), axis=1)
    assert distances.argmin() == 0


def test_threads_get_their_own_rows(embedder, pictures):
    alone = [embedder.embed([picture]) for picture in pictures]
    with ThreadPoolExecutor(len(pictures)) as pool:
        for _ in range(3):
            beside = list(pool.map(lambda picture: embedder.embed([picture]), pictures))
            assert cosines(np.concatenate(alone), np.concatenate(beside)).min() > 1 - 1e-5


@pytest.fixture(params=[FakeEmbedders, lambda: ModelRegistry("auto", FORWARD_BATCH, None)])
def embedders(request) -> Embedders:
    return request.param()


def test_models_are_listed_in_a_stable_order_with_their_standing(embedders):
    listed = embedders.available()
    assert listed == embedders.available()
    assert len({one.definition.name for one in listed}) == len(listed) > 0
    assert all(one.hint or one.weights is Weights.PRESENT for one in listed)


def test_a_model_that_is_present_is_always_the_same_embedder(embedders):
    present = [one for one in embedders.available() if one.weights is Weights.PRESENT]
    for one in present:
        embedder = embedders.get(one.definition.name)
        assert embedder is embedders.get(one.definition.name)
        assert embedder.definition == one.definition


def test_an_unknown_model_is_not_found(embedders):
    with pytest.raises(NotFoundError, match="no model 'nothing'"):
        embedders.get("nothing")


@pytest.mark.parametrize("name", ["fake", "pixels", "colors"])
def test_weights_that_are_here_are_not_fetched_again(embedders, name):
    if name in {one.definition.name for one in embedders.available()}:
        embedders.pull(name, pytest.fail)
    with pytest.raises(NotFoundError, match="no model 'nothing'"):
        embedders.pull("nothing", pytest.fail)


def cosines(left, right):
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return (left * right).sum(axis=1) / lengths

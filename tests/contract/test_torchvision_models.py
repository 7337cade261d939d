"""The networks of torchvision against torchvision itself, with random weights of their shape."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lookalike.services.adapters.embedding.registry import ModelRegistry
from lookalike.services.adapters.embedding.torchvision_import import torchvision
from lookalike.services.adapters.embedding.torchvision_models import MODELS, PUBLISHED
from lookalike.services.errors import UnavailableError
from lookalike.services.imaging.preparing import prepare
from lookalike.services.records import Distance, Fit, Pixels
from tests.factories import scene

pytestmark = pytest.mark.xdist_group("models")

# Not before ours, which makes it possible to import it.
extraction = import_module("torchvision.models.feature_extraction")

LAYERS = {
    "resnet18": ("flatten", 512),
    "resnet34": ("flatten", 512),
    "resnet50": ("flatten", 2048),
    "resnet101": ("flatten", 2048),
    "resnet152": ("flatten", 2048),
    "alexnet": ("classifier.5", 4096),
}
"""The layer before the classifier as torchvision names it, and how many numbers it gives."""

NAMES = [network.definition.name for network in PUBLISHED]


@pytest.fixture(scope="module", params=LAYERS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def network(name: str) -> torch.nn.Module:
    torch.manual_seed(sum(name.encode()))
    made = torchvision.models.get_model(name, weights=None)
    # Batch normalisation learns what these pictures do in this network, as training would have it:
    # else the difference between two pictures drowns in that of up to 150 layers.
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        made.train()(normalised([np.asarray(scene(seed, size=(96, 96))) for seed in range(8)]))
    return made.eval()


@pytest.fixture(scope="module")
def registry(name, network, tmp_path_factory) -> ModelRegistry:
    file = tmp_path_factory.mktemp(name) / "weights.pth"
    torch.save(network.state_dict(), file)
    return ModelRegistry("float32", 4, None, weights={name: file})


def test_every_network_is_checked_here():
    assert list(LAYERS) == NAMES
    assert list(MODELS) == [each for name in NAMES for each in (name, f"{name}-letterbox")]


def test_rows_are_the_layer_before_the_classifier(name, network, registry):
    layer, dimensions = LAYERS[name]
    embedder = registry.get(name)
    pictures = [prepare(scene(seed), embedder.definition.recipe) for seed in range(3)]
    rows, expected = embedder.embed(pictures), activations(network, layer, pictures)
    assert rows.shape == expected.shape == (3, dimensions)
    if embedder.definition.distance is Distance.COSINE:
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert cosines(rows, expected).min() >= 0.9999
    assert abs(rows - expected).max() <= 1e-3 * expected.max()
    assert abs(rows - np.roll(expected, 1, axis=1)).max() > 0.1 * expected.max()
    assert abs(rows - np.roll(expected, 1, axis=0)).max() > 1e-2 * expected.max()


def activations(network: torch.nn.Module, layer: str, pictures: list[Pixels]) -> NDArray:
    """What torchvision extracts at `layer`."""
    extractor = extraction.create_feature_extractor(network, [layer])
    with torch.inference_mode():
        return extractor(normalised(pictures))[layer].numpy()


def normalised(pictures: list[Pixels]) -> torch.Tensor:
    """As torchvision does it: (n, 3, height, width)."""
    published = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.transforms()
    pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
    mean, deviation = (torch.tensor(each).view(3, 1, 1) for each in (published.mean, published.std))
    return (pixels - mean) / deviation


def cosines(left: NDArray, right: NDArray) -> NDArray:
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return (left * right).sum(axis=1) / lengths


@pytest.mark.parametrize("network", PUBLISHED, ids=NAMES)
def test_weights_and_their_transform_are_those_that_torchvision_publishes(network):
    made_by, download = network.definition, network.download
    published = torchvision.models.get_model_weights(made_by.name)["IMAGENET1K_V1"]
    assert published.url == f"https://download.pytorch.org/models/{download.file}"
    assert published.url.endswith(f"-{download.checksum}.pth")
    assert download.megabytes == round(published.meta["_file_size"])
    transform = published.transforms()
    assert made_by.recipe.fit is Fit.CENTER_CROP
    assert transform.resize_size == [made_by.recipe.shorter]
    assert transform.crop_size == [made_by.recipe.size]
    assert tuple(transform.mean) == made_by.recipe.mean
    assert tuple(transform.std) == made_by.recipe.deviation


@pytest.mark.parametrize("size", [(500, 333), (333, 500), (256, 256), (2000, 1500), (100, 60)])
def test_the_recipe_gives_the_pixels_of_the_published_transform(size):
    picture = scene(3, size=size)
    transform = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.transforms()
    normalised = transform(picture).numpy().transpose(1, 2, 0)
    expected = 255 * (normalised * transform.std + transform.mean)
    assert abs(prepare(picture, MODELS["resnet18"].definition.recipe) - expected).max() <= 1.01


def test_weights_of_another_network_are_told(tmp_path):
    file = tmp_path / "weights.pth"
    torch.save(torchvision.models.get_model("resnet18", weights=None).state_dict(), file)
    embedder = ModelRegistry("float32", 4, None, weights={"resnet34": file}).get("resnet34")
    with pytest.raises(UnavailableError, match=r"damaged or of another model.*LOOKALIKE_WEIGHTS"):
        embedder.embed([np.zeros((224, 224, 3), np.uint8)])


def test_torchvision_can_be_imported_beside_any_torch_and_detects_without_pretending():
    """In a process of its own: here it has been imported already."""
    program = """
from lookalike.services.adapters.embedding import torchvision_import as ours
import torch
print(ours.torchvision.models.alexnet.__name__)
if hasattr(ours, "OPERATORS"):
    try:
        torch.ops.torchvision.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
    except NotImplementedError:
        print("refused")
else:
    print("refused")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["alexnet", "refused"]


def test_a_file_that_a_setting_names_serves_both_recipes_and_must_be_there(tmp_path: Path):
    missing = tmp_path / "gone.pth"
    registry = ModelRegistry("float32", 4, None, weights={"resnet50": missing})
    standing = {one.definition.name: one for one in registry.available()}
    for name in ("resnet50", "resnet50-letterbox"):
        assert standing[name].weights == "missing"
        with pytest.raises(UnavailableError, match=f"LOOKALIKE_WEIGHTS says that.*{missing}"):
            registry.get(name)
    assert standing["resnet34"].weights == "downloadable"
    missing.write_bytes(b"here now")
    assert registry.get("resnet50-letterbox").definition.name == "resnet50-letterbox"

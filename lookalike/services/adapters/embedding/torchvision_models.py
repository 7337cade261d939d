"""AlexNet and ResNet (Krizhevsky 2014; He et al. 2016) with torchvision's ImageNet weights.

The vector is what the layer before the classifier makes of a picture: for ResNet the last
activations, averaged over the picture; for AlexNet the 4096 numbers of its second to last layer,
compared by Euclidean distance.

The weights are those named IMAGENET1K_V1, which exist for every one of them. The recipe is their
published transform: the shorter side scaled to 256 pixels, the middle 224 cut out. The variant
`-letterbox` shows the whole picture to the same network instead, which was better for every
EfficientNet-Lite (see `efficientnet`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from lookalike.services.adapters.embedding.networks import Download, Network, TorchModule
from lookalike.services.records import Distance, Fit, ModelDefinition, Recipe

CENTER_CROP = Recipe(
    size=224,
    mean=(0.485, 0.456, 0.406),
    deviation=(0.229, 0.224, 0.225),
    padding=(255, 255, 255),
    fit=Fit.CENTER_CROP,
    shorter=256,
)


def _resnet(name: str, dimensions: int, checksum: str, megabytes: int) -> Network:
    definition = ModelDefinition(name, dimensions, CENTER_CROP)
    return _network(definition, Download(f"{name}-{checksum}.pth", megabytes), head="fc")


def _network(definition: ModelDefinition, download: Download, head: str) -> Network:
    name = definition.name
    return Network(
        definition=definition,
        find_weights=lambda: None,
        load=partial(_load, name, head),
        hint=f"Fetch them ({download.megabytes} MB): lookalike models pull {name}. Or name a file "
        f'that you have: LOOKALIKE_WEIGHTS={{"{name}": "/srv/{download.file}"}}',
        download=download,
    )


def _load(name: str, head: str, weights: Path) -> TorchModule:
    # Here, because torch and torchvision take seconds to import and a converted model needs none.
    from lookalike.services.adapters.embedding.torchvision_torch import (  # noqa: PLC0415
        features,
    )

    return features(name, head, weights)


def _letterboxed(network: Network) -> Network:
    made_by = network.definition
    recipe = replace(made_by.recipe, fit=Fit.LETTERBOX, shorter=0)
    variant = replace(made_by, name=f"{made_by.name}-letterbox", recipe=recipe)
    return replace(network, definition=variant, weights_of=made_by.name)


PUBLISHED = (
    _resnet("resnet18", 512, "f37072fd", 45),
    _resnet("resnet34", 512, "b627a593", 83),
    _resnet("resnet50", 2048, "0676ba61", 98),
    _resnet("resnet101", 2048, "63fe2227", 171),
    _resnet("resnet152", 2048, "394f9c45", 230),
    _network(
        ModelDefinition("alexnet", 4096, replace(CENTER_CROP, pool=""), Distance.EUCLID),
        Download("alexnet-owt-7be5be79.pth", 233),
        head="classifier.6",
    ),
)
"""With their published transform. Any classifier of torchvision can be added by one entry: `head`
is its last layer, which is left out, and the file's name that of its weights."""


def _variants() -> Iterator[Network]:
    for network in PUBLISHED:
        yield network
        yield _letterboxed(network)


MODELS: dict[str, Network] = {network.definition.name: network for network in _variants()}
"""Every network by name, each followed by its letterbox variant."""

"""From a torch network to an OpenVINO model that takes pictures as they are, kept on disk."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import structlog

from lookalike.services.adapters.embedding.networks import Network
from lookalike.services.adapters.embedding.openvino_runtime import openvino
from lookalike.services.records import Recipe

VERSION = 1
"""Raise this when `convert` makes something else of the same network."""

log = structlog.get_logger(__name__)


def converted(network: Network, cache_dir: Path | None) -> openvino.Model:
    """The network as an OpenVINO model: uint8 (n, size, size, 3) in, float32 (n, dimensions) out.

    Read from `cache_dir`, which needs neither torch nor seconds, when it was converted there
    before from the same weights by the same versions. A cache that is damaged, out of date or
    cannot be written costs time only. Raises UnavailableError if the weights cannot be had.
    """
    if cache_dir is None:
        return convert(network)
    file = cache_dir / f"{network.definition.name}.zip"
    key = _key(network)
    if (cached := _read(file, key)) is not None:
        return cached
    model = convert(network)
    try:
        _write(model, file, key)
    except OSError:
        log.warning("converted_model_not_kept", file=str(file), exc_info=True)
    return model


def convert(network: Network) -> openvino.Model:
    """Convert the network, with the recipe's mean and deviation as its first layer."""
    recipe = network.definition.recipe
    example = np.zeros((1, 3, recipe.size, recipe.size), np.float32)
    model = openvino.convert_model(
        network.build(), example_input=example, input=[-1, *example.shape[1:]]
    )
    return _taking_pictures(model, recipe)


def _taking_pictures(model: openvino.Model, recipe: Recipe) -> openvino.Model:
    steps = openvino.preprocess.PrePostProcessor(model)
    picture = steps.input()
    picture.tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    picture.model().set_layout(openvino.Layout("NCHW"))
    normalise = picture.preprocess().convert_element_type(openvino.Type.f32)
    normalise.mean([255 * part for part in recipe.mean])
    normalise.scale([255 * part for part in recipe.deviation])
    return steps.build()


def _key(network: Network) -> str:
    """Changes with everything that the converted model depends on."""
    weights = hashlib.sha256(network.weights().read_bytes()).hexdigest()
    return json.dumps([VERSION, openvino.__version__, repr(network.definition), weights])


def _read(file: Path, key: str) -> openvino.Model | None:
    """The model in `file`, or None if there is none that is whole and made for `key`."""
    try:
        with zipfile.ZipFile(file) as archive:  # checks each member's checksum
            if archive.read("key").decode() != key:
                return None
            xml, weights = archive.read("model.xml"), archive.read("model.bin")
        return openvino.Core().read_model(xml, weights)
    except FileNotFoundError:
        return None
    except Exception:  # damage can surface anywhere in there, and converting again mends it
        log.warning("converted_model_damaged", file=str(file), exc_info=True)
        return None


def _write(model: openvino.Model, file: Path, key: str) -> None:
    """Put the model where `_read` finds it, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=file.parent, prefix=f".{file.stem}-") as folder:
        xml, archive_path = Path(folder, "model.xml"), Path(folder, "model.zip")
        openvino.save_model(model, xml, compress_to_fp16=False)
        with zipfile.ZipFile(archive_path, "w") as archive:
            archive.writestr("key", key)
            for part in (xml, xml.with_suffix(".bin")):
                archive.write(part, part.name)
        archive_path.replace(file)

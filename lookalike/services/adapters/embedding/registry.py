"""The models that Lookalike knows. Adding a model is one entry in the file of its kind."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from lookalike.services.adapters.embedding import baselines, efficientnet, torchvision_models
from lookalike.services.adapters.embedding.baselines import Baseline
from lookalike.services.adapters.embedding.devices import FORWARD_BATCH, chosen
from lookalike.services.adapters.embedding.downloading import Progress
from lookalike.services.adapters.embedding.networks import Network
from lookalike.services.adapters.embedding.openvino_embedder import OpenVinoEmbedder
from lookalike.services.adapters.embedding.torch_embedder import TorchEmbedder
from lookalike.services.adapters.embedding.weights import PYTORCH, WeightFiles, standing
from lookalike.services.errors import NotFoundError
from lookalike.services.ports import Embedder
from lookalike.services.records import ModelAvailability, Weights

Model: TypeAlias = Network | Baseline

NETWORKS: Mapping[str, Network] = {**efficientnet.MODELS, **torchvision_models.MODELS}
MODELS: Mapping[str, Model] = {**NETWORKS, **baselines.MODELS}


class ModelRegistry:
    """`ports.Embedders`: OpenVINO on the CPU, PyTorch on a GPU."""

    def __init__(
        self,
        precision: str,
        forward_batch: int | None,
        cache_dir: Path | None,
        models: Mapping[str, Model] = MODELS,
        device: str = "cpu",
        weights: Mapping[str, Path] | None = None,
        weights_url: str = PYTORCH,
        *,
        background: bool = False,
    ) -> None:
        """Load nothing yet.

        `device` is auto, cpu or cuda: see `devices.chosen`, which is asked when the first model is.
        `forward_batch` of None is what suits the device. `precision` and `cache_dir` are those of
        `OpenVinoEmbedder` and `TorchEmbedder`; weights that are fetched, from `weights_url`, go
        into the folder `weights` in `cache_dir`, or in the working folder. `weights` are files
        that the user has, by model. In the `background`, CPUs compute where nothing else wants to.
        """
        self._precision = precision
        self._forward_batch = forward_batch
        self._cache_dir = cache_dir
        self._files = WeightFiles((cache_dir or Path()) / "weights", weights or {}, weights_url)
        self._models = {name: self._located(model) for name, model in models.items()}
        self._device = device
        self._background = background
        self._embedders: dict[str, Embedder] = {}
        self._lock = threading.Lock()

    def available(self) -> list[ModelAvailability]:
        """Every known model, kind by kind and smallest first, with the standing of its weights."""
        return [_availability(model) for model in self._models.values()]

    def get(self, name: str) -> Embedder:
        """The one embedder for `name`, the same object each time; loads no network.

        Raises NotFoundError for an unknown name, UnavailableError where weights are missing,
        ConfigurationError where the device is cuda and there is none.
        """
        model = self._known(name)
        if isinstance(model, Baseline):
            return model
        model.weights()
        with self._lock:
            if name not in self._embedders:
                self._embedders[name] = self._embedder(model)
            return self._embedders[name]

    def pull(self, name: str, progress: Progress) -> None:
        """See Embedders."""
        model = self._known(name)
        if isinstance(model, Network):
            self._files.pull(model, progress)

    def _known(self, name: str) -> Model:
        if name not in self._models:
            known = ", ".join(self._models)
            raise NotFoundError(f"There is no model {name!r}. Known are: {known}.", model=name)
        return self._models[name]

    def _located(self, model: Model) -> Model:
        return self._files.located(model) if isinstance(model, Network) else model

    def _embedder(self, network: Network) -> Embedder:
        device = chosen(self._device)
        batch = self._forward_batch or FORWARD_BATCH[device]
        if device == "cpu":
            return OpenVinoEmbedder(
                network, self._precision, batch, self._cache_dir, background=self._background
            )
        return TorchEmbedder(network, device, self._precision, batch)


def _availability(model: Model) -> ModelAvailability:
    if isinstance(model, Baseline):
        return ModelAvailability(model.definition, Weights.PRESENT, "")
    weights = standing(model)
    hint = "" if weights is Weights.PRESENT else model.hint
    return ModelAvailability(model.definition, weights, hint)

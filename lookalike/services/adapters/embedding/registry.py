"""The models that Lookalike knows. Adding a model is one entry in `NETWORKS`."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

from lookalike.services.adapters.embedding import efficientnet
from lookalike.services.adapters.embedding.devices import FORWARD_BATCH, chosen
from lookalike.services.adapters.embedding.networks import Network
from lookalike.services.adapters.embedding.openvino_embedder import OpenVinoEmbedder
from lookalike.services.adapters.embedding.torch_embedder import TorchEmbedder
from lookalike.services.errors import NotFoundError
from lookalike.services.ports import Embedder
from lookalike.services.records import ModelAvailability, Weights

NETWORKS: Mapping[str, Network] = {**efficientnet.MODELS}


class ModelRegistry:
    """`ports.Embedders`: OpenVINO on the CPU, PyTorch on a GPU."""

    def __init__(
        self,
        precision: str,
        forward_batch: int | None,
        cache_dir: Path | None,
        networks: Mapping[str, Network] = NETWORKS,
        device: str = "cpu",
    ) -> None:
        """Load nothing yet.

        `device` is auto, cpu or cuda: see `devices.chosen`, which is asked when the first model is.
        `forward_batch` of None is what suits the device. `precision` and `cache_dir` are those of
        `OpenVinoEmbedder` and `TorchEmbedder`.
        """
        self._precision = precision
        self._forward_batch = forward_batch
        self._cache_dir = cache_dir
        self._networks = networks
        self._device = device
        self._embedders: dict[str, Embedder] = {}
        self._lock = threading.Lock()

    def available(self) -> list[ModelAvailability]:
        """Every known model, smallest first, with the standing of its weights."""
        return [_availability(network) for network in self._networks.values()]

    def get(self, name: str) -> Embedder:
        """The one embedder for `name`, the same object each time; loads no network.

        Raises NotFoundError for an unknown name, UnavailableError where weights are missing,
        ConfigurationError where the device is cuda and there is none.
        """
        if name not in self._networks:
            known = ", ".join(self._networks)
            raise NotFoundError(f"There is no model {name!r}. Known are: {known}.", model=name)
        self._networks[name].weights()
        with self._lock:
            if name not in self._embedders:
                self._embedders[name] = self._embedder(self._networks[name])
            return self._embedders[name]

    def _embedder(self, network: Network) -> Embedder:
        device = chosen(self._device)
        batch = self._forward_batch or FORWARD_BATCH[device]
        if device == "cpu":
            return OpenVinoEmbedder(network, self._precision, batch, self._cache_dir)
        return TorchEmbedder(network, device, self._precision, batch)


def _availability(network: Network) -> ModelAvailability:
    if network.find_weights():
        return ModelAvailability(network.definition, Weights.PRESENT, "")
    return ModelAvailability(network.definition, Weights.MISSING, network.hint)

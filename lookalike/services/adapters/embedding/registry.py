"""The models that Lookalike knows. Adding a model is one entry in `NETWORKS`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lookalike.services.adapters.embedding import efficientnet
from lookalike.services.adapters.embedding.networks import Network
from lookalike.services.adapters.embedding.openvino_embedder import OpenVinoEmbedder
from lookalike.services.errors import NotFoundError
from lookalike.services.ports import Embedder
from lookalike.services.records import ModelAvailability, Weights

NETWORKS: Mapping[str, Network] = {**efficientnet.MODELS}


class ModelRegistry:
    """`ports.Embedders`. Arguments but the last are those of `OpenVinoEmbedder`."""

    def __init__(
        self,
        precision: str,
        forward_batch: int,
        cache_dir: Path | None,
        networks: Mapping[str, Network] = NETWORKS,
    ) -> None:
        self._networks = networks
        self._embedders = {
            name: OpenVinoEmbedder(network, precision, forward_batch, cache_dir)
            for name, network in networks.items()
        }

    def available(self) -> list[ModelAvailability]:
        """Every known model, smallest first, with the standing of its weights."""
        return [_availability(network) for network in self._networks.values()]

    def get(self, name: str) -> Embedder:
        """The one embedder for `name`, the same object each time; loads nothing.

        Raises NotFoundError for an unknown name, UnavailableError where weights are missing.
        """
        if name not in self._networks:
            known = ", ".join(self._networks)
            raise NotFoundError(f"There is no model {name!r}. Known are: {known}.", model=name)
        self._networks[name].weights()
        return self._embedders[name]


def _availability(network: Network) -> ModelAvailability:
    if network.find_weights():
        return ModelAvailability(network.definition, Weights.PRESENT, "")
    return ModelAvailability(network.definition, Weights.MISSING, network.hint)

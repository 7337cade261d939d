"""Where weights lie that come in no package: fetched into a folder, or named by the user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from lookalike.services.adapters.embedding.downloading import Progress, fetch, is_whole
from lookalike.services.adapters.embedding.networks import Network
from lookalike.services.records import Weights

PYTORCH = "https://download.pytorch.org/models"


@dataclass(frozen=True, slots=True)
class WeightFiles:
    """`folder` takes what is fetched from `url`; `named` are files that the user has, by model."""

    folder: Path
    named: Mapping[str, Path] = field(default_factory=dict)
    url: str = PYTORCH

    def located(self, network: Network) -> Network:
        """The network as it is, or looking for its weights where they would be here."""
        name = network.definition.name
        if path := self.named.get(name) or self.named.get(network.weights_of):
            hint = (
                f"LOOKALIKE_WEIGHTS says that they are {path}. Put the file there, or correct it."
            )
            return replace(network, find_weights=partial(_if_there, path), hint=hint, download=None)
        if network.download:
            path = self.folder / network.download.file
            return replace(network, find_weights=partial(_if_there, path))
        return network

    def pull(self, network: Network, progress: Progress) -> None:
        """Fetch the weights of a located network, unless they are there and whole.

        Raises UnavailableError where they cannot be had, BusyError while somebody else fetches
        them.
        """
        if network.download is None:
            network.weights()
            return
        path = self.folder / network.download.file
        if path.is_file() and not is_whole(path, network.download.checksum):
            path.unlink()
        url = f"{self.url.rstrip('/')}/{network.download.file}"
        fetch(url, path, network.download.checksum, progress)


def standing(network: Network) -> Weights:
    """Whether the weights of a located network are here, can be fetched, or neither."""
    if network.find_weights():
        return Weights.PRESENT
    return Weights.DOWNLOADABLE if network.download else Weights.MISSING


def _if_there(path: Path) -> Path | None:
    return path if path.is_file() else None

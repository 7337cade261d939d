"""What a model must say of itself to be used: its definition, its weights, how it is built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from lookalike.services.errors import UnavailableError
from lookalike.services.records import ModelDefinition

TorchModule: TypeAlias = Any
"""A `torch.nn.Module`. Not named so, because describing a network must not need torch."""


@dataclass(frozen=True, slots=True)
class Download:
    """A file of weights on a server, named as torchvision's are: `resnet18-f37072fd.pth`."""

    file: str
    megabytes: int

    @property
    def checksum(self) -> str:
        """What the SHA-256 of the file begins with, in hex digits."""
        return self.file.removesuffix(".pth").rpartition("-")[2]


@dataclass(frozen=True, slots=True)
class Network:
    """A network that turns pictures into vectors, described without importing any library.

    `find_weights` gives the file that holds the weights, or None where there is none. `load`
    reads that file into a torch module in evaluation mode, which takes float32 of shape
    (n, 3, size, size), normalised by the recipe's mean and deviation, and gives float32 of shape
    (n, dimensions), not normalised. `hint` says how to get the weights. `download` is the file
    that can be fetched, if any. `weights_of` names the model that has the same weights, with
    another recipe.
    """

    definition: ModelDefinition
    find_weights: Callable[[], Path | None]
    load: Callable[[Path], TorchModule]
    hint: str
    download: Download | None = None
    weights_of: str = ""

    def weights(self) -> Path:
        """The file that holds the weights. Raises UnavailableError with the hint without it."""
        if path := self.find_weights():
            return path
        name = self.definition.name
        raise UnavailableError(f"The weights of {name} are not here. {self.hint}", model=name)

    def build(self) -> TorchModule:
        """The torch module with its weights. Raises UnavailableError if they cannot be read."""
        weights = self.weights()
        try:
            return self.load(weights)
        except ImportError:
            raise  # not the file's fault
        except Exception as error:  # torch raises many kinds for a damaged file
            name = self.definition.name
            raise UnavailableError(
                f"The weights of {name} cannot be read: the file is damaged or of another model. "
                f"Remove {weights}. {self.hint}",
                model=name,
                file=str(weights),
            ) from error

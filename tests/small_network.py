"""A network that converts in milliseconds, to test how networks are loaded, kept and run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from lookalike.services.adapters.embedding.networks import Network
from lookalike.services.records import ModelDefinition, Recipe

SIZE = 16
DEFINITION = ModelDefinition(
    "small", 8, Recipe(size=SIZE, mean=(0.5,) * 3, deviation=(0.25,) * 3, padding=(0, 0, 0))
)
HINT = "Install them: pip install small-weights"


class Small(torch.nn.Module):
    """One convolution, averaged over the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = torch.nn.Conv2d(3, 8, 3, stride=2)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.convolution(pixels)).mean(dim=(2, 3))


class SmallNetwork:
    """Weights in a file, and a network that reads them and counts how often in `loads`."""

    def __init__(self, weights: Path, seed: int = 0) -> None:
        torch.manual_seed(seed)
        torch.save(Small().state_dict(), weights)
        self.loads = 0
        self.network = Network(DEFINITION, lambda: weights, self._load, HINT)
        self.without_weights = replace(self.network, find_weights=lambda: None)

    def _load(self, weights: Path) -> torch.nn.Module:
        self.loads += 1
        module = Small()
        module.load_state_dict(torch.load(weights, weights_only=True))
        return module.eval()

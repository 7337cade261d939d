"""EfficientNet-Lite as a torch module. Importing this imports torch."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from efficientnet_lite_pytorch import EfficientNet


class Features(torch.nn.Module):
    """The network without its classifier: what it sees, averaged over the picture.

    float32 (n, 3, size, size) in, where size is the one the variant was trained with; float32
    (n, 1280) out. In evaluation mode, without gradients. Raises what torch raises when the file
    does not hold the weights of the variant `name`.
    """

    def __init__(self, name: str, weights: Path) -> None:
        super().__init__()
        # The library's own loader prints to standard output and unpickles whatever it is given.
        state = torch.load(weights, map_location="cpu", weights_only=True)
        self._network = EfficientNet.from_name(name)
        self._network.load_state_dict(state)
        self.requires_grad_(requires_grad=False).eval()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Average the last activations over both axes of the picture."""
        return cast(torch.Tensor, self._network.extract_features(pixels)).mean(dim=(2, 3))

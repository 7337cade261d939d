"""Networks of torchvision as torch modules. Importing this imports torch and torchvision."""

from __future__ import annotations

from pathlib import Path

import torch

from lookalike.services.adapters.embedding.torchvision_import import torchvision


def features(name: str, head: str, weights: Path) -> torch.nn.Module:
    """The network `name` without its last layer `head`: what that layer would be given.

    float32 (n, 3, height, width) in, float32 (n, dimensions) out. In evaluation mode, without
    gradients. Raises what torch raises when the file does not hold the network's weights.
    """
    network: torch.nn.Module = torchvision.models.get_model(name, weights=None)
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    network.set_submodule(head, torch.nn.Identity())
    return network.requires_grad_(requires_grad=False).eval()

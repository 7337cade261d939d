"""A network on a device, in the arithmetic that suits it. Importing this imports torch."""

from __future__ import annotations

import re

import torch

from lookalike.services.adapters.embedding.networks import Network
from lookalike.services.records import Pixels, Recipe, Vectors

ARITHMETIC = {
    ("auto", "cpu"): torch.float32,
    # What GPUs multiply fastest. The Lite networks' activations, cut at 6, are far from its 65,504.
    ("auto", "cuda"): torch.float16,
}
NO_MEMORY = re.compile("out of memory|ALLOC(ATION)?_FAILED")
"""How CUDA itself, cuBLAS and cuDNN say it: they allocate past PyTorch, which has a class of error
only for its own allocator."""

NAMED = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class TorchNetwork:
    """The network's weights in the memory of `device` (cpu or cuda).

    `precision` is float32, bfloat16 or auto: half precision on a GPU, float32 on the CPU. Making
    it raises UnavailableError if the weights cannot be read, and what torch raises where the device
    cannot take them. Not safe to call from several threads.
    """

    def __init__(self, network: Network, device: str, precision: str) -> None:
        self._type = NAMED.get(precision) or ARITHMETIC[precision, device]
        self._device = torch.device(device)
        # Channels last is how pictures come, and how the matrix units of GPUs read them.
        self._module = network.build().to(
            self._device, self._type, memory_format=torch.channels_last
        )
        self._mean, self._scale = _normalisation(network.definition.recipe, self._device)

    def rows(self, batch: Pixels) -> Vectors | None:
        """Features of uint8 pictures (n, size, size, 3): float32 (n, dimensions), not normalised.

        None if the device has not the memory for so many; what the attempt held is free again
        then, for other processes too. Raises RuntimeError for other troubles of the device.
        """
        try:
            return self._forward(batch)
        except RuntimeError as error:
            if not _lacks_memory(error):
                raise
        # Not above: as long as the error is at hand, so are the tensors of its frames.
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        return None

    @torch.inference_mode()
    def _forward(self, batch: Pixels) -> Vectors:
        # Bytes travel to the device, a quarter of what float32 would be.
        pictures = torch.from_numpy(batch).to(self._device).permute(0, 3, 1, 2)
        pixels = (pictures.float() - self._mean) / self._scale
        features: torch.Tensor = self._module(pixels.to(self._type))
        rows: Vectors = features.float().cpu().numpy()
        return rows


def _lacks_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or NO_MEMORY.search(str(error)) is not None


def _normalisation(recipe: Recipe, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """The recipe's mean and deviation on the scale of bytes, shaped for (n, 3, size, size)."""
    both = torch.tensor([recipe.mean, recipe.deviation], dtype=torch.float32, device=device) * 255
    mean, deviation = both.view(2, 1, 3, 1, 1)
    return mean, deviation

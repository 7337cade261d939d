"""Where networks run: on the CPU, or on an NVIDIA GPU. Importing this imports no library."""

from __future__ import annotations

import shutil
from pathlib import Path

from lookalike.services.errors import ConfigurationError

FORWARD_BATCH = {"cpu": 16, "cuda": 128}
"""Pictures in one forward pass unless the setting says otherwise: two cores gain nothing beyond 16;
a GPU has thousands, and halves the batch where its memory does not hold it."""


def chosen(device: str) -> str:
    """The setting `device` (auto, cpu, cuda) as a device that is here: cpu or cuda.

    Imports torch, which takes seconds and hundreds of megabytes, only where there are signs of a
    GPU. Raises ConfigurationError for cuda where PyTorch cannot use one.
    """
    if device == "cpu":
        return "cpu"
    if not _signs_of_a_gpu():
        problem = "no NVIDIA GPU or driver is found here"
    elif problem := _why_torch_has_none():
        pass
    else:
        return "cuda"
    if device == "auto":
        return "cpu"
    raise ConfigurationError(
        f"LOOKALIKE_DEVICE is cuda, but {problem}. Set it to cpu or auto, or give this machine or "
        "container its GPU."
    )


def _signs_of_a_gpu() -> bool:
    """Whether there is a GPU's device file (/dev/dxg under Windows) or the driver's program."""
    files = [*Path("/dev").glob("nvidia[0-9]*"), *Path("/dev").glob("dxg")]
    return bool(files) or shutil.which("nvidia-smi") is not None


def _why_torch_has_none() -> str:
    """What is in the way of a GPU, empty if nothing is."""
    import torch  # noqa: PLC0415 - see `chosen`

    if torch.version.cuda is None:
        return "the PyTorch that is installed is the build for CPUs"
    if not torch.cuda.is_available():
        return "PyTorch cannot use the GPU (is the driver older than PyTorch's CUDA?)"
    return ""

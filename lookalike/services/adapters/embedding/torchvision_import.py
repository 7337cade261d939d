"""torchvision, also beside a torch for CPUs. Whoever uses torchvision imports it from this file.

torchvision's package on PyPI is compiled for CUDA. Beside a torch for CPUs its compiled part cannot
be loaded, and then `import torchvision` fails, because it describes operators for object detection
that the compiled part would have brought. Nothing here detects objects: where the import needs
them, the operators' names are made known, so that they can be described, and never called.
"""

from __future__ import annotations

from typing import Any

import torch

MISSING = ("nms", "qnms")
ARGUMENTS = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"

try:
    import torchvision
except RuntimeError as error:
    if "operator torchvision::" not in str(error):
        raise
    # The names are known for as long as this object lives.
    library: Any = torch.library.Library  # which says nothing of its types
    OPERATORS = library("torchvision", "DEF")
    for name in MISSING:
        OPERATORS.define(name + ARGUMENTS)
    import torchvision

__all__ = ["torchvision"]

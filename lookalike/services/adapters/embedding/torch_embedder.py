"""Pictures to vectors with PyTorch, for GPUs; on the CPU, OpenVINO is faster."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import structlog

from lookalike.services.adapters.embedding.batch_limit import BatchLimit
from lookalike.services.adapters.embedding.batches import joined, stacked
from lookalike.services.adapters.embedding.networks import Network
from lookalike.services.errors import LookalikeError, UnavailableError
from lookalike.services.records import ModelDefinition, Pixels, Vectors

if TYPE_CHECKING:
    from lookalike.services.adapters.embedding.torch_network import TorchNetwork

log = structlog.get_logger(__name__)


class TorchEmbedder:
    """`ports.Embedder` for one network on one device.

    A thread of its own loads the network at the first `embed` and computes one batch after the
    other, in the order in which they were asked for: a single picture waits for no more than one
    batch of each other caller, and two batches never share the device's memory. Where a batch does
    not fit, it is computed in parts, and later ones are smaller; see `BatchLimit`. Like all that
    uses a GPU, it must not be used before a fork.
    """

    def __init__(self, network: Network, device: str, precision: str, forward_batch: int) -> None:
        """Load nothing yet.

        `device` is cpu or cuda. `precision` is float32, bfloat16 or auto (see `TorchNetwork`).
        `forward_batch` bounds the pictures in one pass.
        """
        self._network = network
        self._device = device
        self._precision = precision
        self.forward_batch = forward_batch
        self._limit = BatchLimit(forward_batch)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=network.definition.name)
        self._loaded: TorchNetwork | None = None

    @property
    def definition(self) -> ModelDefinition:
        """Which model this is. Loads nothing."""
        return self._network.definition

    def embed(self, pictures: Sequence[Pixels]) -> Vectors:
        """Embed prepared pictures, as `ports.Embedder.embed` promises.

        Raises ValueError for pictures that were not prepared by this model's recipe.
        """
        parts: list[Vectors] = []
        start = 0
        while start < len(pictures):
            batch = stacked(pictures[start : start + self._limit.size], self.definition)
            parts.append(self._thread.submit(self._compute, batch).result())
            start += len(batch)
        return joined(parts, self.definition)

    def _compute(self, batch: Pixels) -> Vectors:
        """The rows of a batch, in the embedder's own thread."""
        network = self._loaded = self._loaded or self._load()
        try:
            return self._rows(network, batch)
        except RuntimeError as error:
            raise self._unavailable("could not compute") from error

    def _rows(self, network: TorchNetwork, batch: Pixels) -> Vectors:
        """The rows of a batch, cut smaller until the device's memory holds each part."""
        parts: list[Vectors] = []
        start = 0
        while start < len(batch):
            part = batch[start : start + self._limit.size]
            if (rows := network.rows(part)) is None:
                self._shrink(len(part))
                continue
            self._limit.fitted(len(part))
            parts.append(rows)
            start += len(part)
        return np.concatenate(parts)

    def _shrink(self, pictures: int) -> None:
        if pictures == 1:
            raise self._unavailable("has not the memory for one picture")
        self._limit.too_large(pictures)
        log.info("batch_halved", model=self.definition.name, pictures=self._limit.size)

    def _load(self) -> TorchNetwork:
        try:
            # Here, because it imports torch, which looking at the models does not need.
            from lookalike.services.adapters.embedding.torch_network import (  # noqa: PLC0415
                TorchNetwork,
            )

            return TorchNetwork(self._network, self._device, self._precision)
        except LookalikeError:
            raise
        except Exception as error:  # of torch and of the network's library: no common base class
            raise self._unavailable("could not be loaded") from error

    def _unavailable(self, what: str) -> UnavailableError:
        name = self.definition.name
        log.warning("model_failed", model=name, device=self._device, exc_info=True)
        return UnavailableError(
            f"The model {name} {what} on {self._device}. Check that there is free memory on it, "
            "then start this process again.",
            model=name,
        )

"""Pictures to vectors on the CPU with OpenVINO."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import structlog

from lookalike.services.adapters.embedding.batches import joined, stacked
from lookalike.services.adapters.embedding.networks import Network
from lookalike.services.adapters.priority import step_back
from lookalike.services.errors import LookalikeError, UnavailableError
from lookalike.services.records import ModelDefinition, Pixels, Vectors

if TYPE_CHECKING:
    from lookalike.services.adapters.embedding.openvino_runtime import openvino

log = structlog.get_logger(__name__)

SHARES = 2
"""Parts of a forward pass for each stream, so that one which loses its core to other work for a
while leaves the rest to the other."""


class OpenVinoEmbedder:
    """`ports.Embedder` for one network.

    The model is loaded by the first `embed`, once. Calls from several threads are served in the
    order in which their forward passes were asked for, so that a single picture waits for no more
    than the passes of `forward_batch` pictures that other threads have under way.
    """

    def __init__(
        self, network: Network, precision: str, forward_batch: int, cache_dir: Path | None
    ) -> None:
        """Load nothing yet.

        `precision` is float32, bfloat16 (computed in float32 on a CPU that has none) or auto.
        `forward_batch` bounds the pictures in one pass. `cache_dir` keeps the converted model
        between starts; None converts it each time.
        """
        self._network = network
        self._precision = precision
        self.forward_batch = forward_batch
        self._cache_dir = cache_dir
        self._lock = threading.Lock()
        self._compiled: openvino.CompiledModel | None = None

    @property
    def definition(self) -> ModelDefinition:
        """Which model this is. Loads nothing."""
        return self._network.definition

    def embed(self, pictures: Sequence[Pixels]) -> Vectors:
        """Embed prepared pictures, as `ports.Embedder.embed` promises.

        Raises ValueError for pictures that were not prepared by this model's recipe.
        """
        size = self.forward_batch
        starts = range(0, len(pictures), size)
        parts = [self._forward(pictures[start : start + size]) for start in starts]
        return joined(parts, self.definition)

    def _forward(self, pictures: Sequence[Pixels]) -> Vectors:
        model = self._loaded()
        try:
            begun = [
                _begin(model, share) for share in _shares(stacked(pictures, self.definition), model)
            ]
            return np.concatenate([_finish(request) for request in begun])
        except RuntimeError as error:
            raise self._unavailable("could not compute") from error

    def _loaded(self) -> openvino.CompiledModel:
        with self._lock:
            if self._compiled is None:
                self._compiled = self._load()
            return self._compiled

    def _load(self) -> openvino.CompiledModel:
        try:
            # Its threads take after the one that makes them.
            with ThreadPoolExecutor(1, initializer=step_back) as thread:
                return thread.submit(self._compile).result()
        except LookalikeError:
            raise
        except Exception as error:  # from three libraries, which share no base class
            raise self._unavailable("could not be loaded") from error

    def _compile(self) -> openvino.CompiledModel:
        # Here, because it imports OpenVINO, which looking at the models does not need.
        from lookalike.services.adapters.embedding.openvino_cpu import compiled  # noqa: PLC0415

        with _FIRST_PASS:
            model = compiled(self._network, self._precision, self._cache_dir)
            side = self.definition.recipe.size
            _finish(_begin(model, np.zeros((1, side, side, 3), np.uint8)))
        return model

    def _unavailable(self, what: str) -> UnavailableError:
        name = self.definition.name
        log.warning("model_failed", model=name, exc_info=True)
        return UnavailableError(
            f"The model {name} {what}. Check that there is free memory and that its packages are "
            "installed whole.",
            model=name,
        )


_FIRST_PASS = threading.Lock()
"""Held for the first pass of a model. OpenVINO's binding sets itself up in the first call, and two
threads that make that call at once wait for each other for ever: one of 22 workers did."""


def _shares(batch: Pixels, model: openvino.CompiledModel) -> list[Pixels]:
    """The batch in as many parts as the model computes side by side, none of them empty."""
    count = model.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
    return np.array_split(batch, min(len(batch), SHARES * count))


def _begin(model: openvino.CompiledModel, share: Pixels) -> openvino.InferRequest:
    request = model.create_infer_request()
    request.start_async([share], share_inputs=True)
    return request


def _finish(request: openvino.InferRequest) -> Vectors:
    request.wait()
    return cast(Vectors, request.results[0])

"""Pictures to vectors on the CPU with OpenVINO."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import structlog

from lookalike.services.adapters.embedding.batches import joined, stacked
from lookalike.services.adapters.embedding.networks import Network
from lookalike.services.errors import LookalikeError, UnavailableError
from lookalike.services.garbage import keep_what_is_loaded
from lookalike.services.priority import use_idle_cores
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
        self,
        network: Network,
        precision: str,
        forward_batch: int,
        cache_dir: Path | None,
        *,
        background: bool = False,
    ) -> None:
        """Load nothing yet.

        `precision` is float32, bfloat16 (computed in float32 on a CPU that has none) or auto.
        `forward_batch` bounds the pictures in one pass. `cache_dir` keeps the converted model
        between starts; None converts it each time. In the `background`, it computes where nothing
        else wants to.
        """
        self._network = network
        self._precision = precision
        self.forward_batch = forward_batch
        self._cache_dir = cache_dir
        self._initializer = use_idle_cores if background else None
        self._lock = threading.Lock()
        self._model: _Loaded | None = None

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
        loaded = self._loaded()
        try:
            return loaded.forward(stacked(pictures, self.definition))
        except RuntimeError as error:
            raise self._unavailable("could not compute") from error

    def _loaded(self) -> _Loaded:
        with self._lock:
            if self._model is None:
                self._model = self._load()
            return self._model

    def _load(self) -> _Loaded:
        try:
            model = self._converted()
            # The threads that compute take after the one that makes them. All else is done here:
            # it is Python, which others wait for.
            with ThreadPoolExecutor(1, initializer=self._initializer) as thread:
                loaded = thread.submit(self._compile, model).result()
        except LookalikeError:
            raise
        except Exception as error:  # from three libraries, which share no base class
            raise self._unavailable("could not be loaded") from error
        keep_what_is_loaded()
        return loaded

    def _converted(self) -> openvino.Model:
        # Here, because it imports OpenVINO, which looking at the models does not need.
        from lookalike.services.adapters.embedding import openvino_conversion  # noqa: PLC0415

        return openvino_conversion.converted(self._network, self._cache_dir)

    def _compile(self, model: openvino.Model) -> _Loaded:
        from lookalike.services.adapters.embedding.openvino_cpu import compiled  # noqa: PLC0415

        with _FIRST_PASS:
            loaded = _Loaded(compiled(model, self._precision))
            side = self.definition.recipe.size
            loaded.forward(np.zeros((1, side, side, 3), np.uint8))
        return loaded

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


class _Loaded:
    """A compiled model, and requests to compute with it.

    Requests are kept for the next pass. Making one, or asking the model for a property, waits for
    the passes under way, and holds Python's global lock all the while: searches stood still.
    """

    def __init__(self, model: openvino.CompiledModel) -> None:
        self._model = model
        self._most_shares = SHARES * model.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        self._idle: deque[openvino.InferRequest] = deque()

    def forward(self, batch: Pixels) -> Vectors:
        """The vectors of a batch (n, size, size, 3), n > 0."""
        shares = np.array_split(batch, min(len(batch), self._most_shares))
        begun = [self._begin(share) for share in shares]
        vectors = np.concatenate([_finish(request) for request in begun])
        self._idle.extend(begun)
        return vectors

    def _begin(self, share: Pixels) -> openvino.InferRequest:
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._model.create_infer_request()
        request.start_async([share], share_inputs=True)
        return request


def _finish(request: openvino.InferRequest) -> Vectors:
    request.wait()
    return cast(Vectors, request.results[0])

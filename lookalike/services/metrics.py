"""What is measured, for Prometheus. Names, labels and units are part of the public contract.

Each process counts and times what it does itself; gauges are read from SQL and the queue when
somebody looks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from prometheus_client import Counter, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from lookalike.services.errors import ConfigurationError, UnavailableError
from lookalike.services.status import Status

T = TypeVar("T", bound=str)

MILLISECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
SECONDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)

INDEXED = Counter("lookalike_indexed", "Pictures that became searchable.")
FAILED = Counter("lookalike_failed", "Pictures that cannot be indexed, by code.", ["code"])
BATCH = Histogram(
    "lookalike_batch_pictures",
    "Pictures in one forward pass.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)
DECODE = Histogram(
    "lookalike_decode_seconds", "Decoding and preparing one picture.", buckets=SECONDS
)
FORWARD = Histogram(
    "lookalike_forward_seconds", "One forward pass of the network, one batch.", buckets=SECONDS
)
UPSERT = Histogram(
    "lookalike_upsert_seconds", "Storing the vectors of one batch.", buckets=MILLISECONDS
)
SEARCH = Histogram(
    "lookalike_search_seconds", "One search, from the request to the answer.", buckets=MILLISECONDS
)


class PlatformGauges(Collector):
    """The state of the whole platform at this moment. A part that is down leaves out its own."""

    def __init__(self, status: Status) -> None:
        self._status = status

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges whose parts answer."""
        for gauge in (self._pictures, self._batches, self._oldest, self._workers):
            try:
                yield gauge()
            except UnavailableError:
                continue

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing beforehand: a registry would otherwise ask every part when it is made."""
        return iter(())

    def _pictures(self) -> GaugeMetricFamily:
        text = "Pictures by state in the live index."
        return _family("lookalike_pictures", text, "state", self._status.pictures())

    def _batches(self) -> GaugeMetricFamily:
        waiting = self._status.waiting()
        text = "Batches that no worker has taken yet."
        return _family("lookalike_queue_batches", text, "queue", waiting)

    def _oldest(self) -> GaugeMetricFamily:
        ages = self._status.oldest_seconds()
        text = "Age of the picture that has been pending longest, 0 when none is."
        return _family("lookalike_queue_oldest_seconds", text, "queue", ages)

    def _workers(self) -> GaugeMetricFamily:
        return GaugeMetricFamily(
            "lookalike_workers", "Workers that are alive.", value=self._status.workers()
        )


def _family(name: str, text: str, label: str, values: Mapping[T, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([str(key)], value)
    return family


def serve_metrics(port: int) -> Callable[[], None] | None:
    """Serve this process's own counters on `port`; 0 serves none. Answers what ends it.

    Raises ConfigurationError for a port that cannot be had.
    """
    if not port:
        return None
    try:
        server, _thread = start_http_server(port)
    except OSError as error:
        raise ConfigurationError(
            f"Metrics cannot be served on port {port} ({error.strerror}). Set "
            "LOOKALIKE_METRICS_PORT to another port, one for each worker of a machine, or to 0."
        ) from error
    return server.shutdown

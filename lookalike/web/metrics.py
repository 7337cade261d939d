"""Metrics of the platform and of the web processes, for Prometheus."""

from __future__ import annotations

import os

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from lookalike.services.metrics import PlatformGauges
from lookalike.web.context import platform

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Where the web processes of one machine add up their counts, when there are several."""

pages = Blueprint("metrics", __name__)


@pages.get("/metrics")
def metrics() -> Response:
    """Everything that is measured, in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(PlatformGauges(platform().status))
    if SHARED_FOLDER in os.environ:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(_Own())
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Own(Collector):
    """What this process has counted so far."""

    collect = REGISTRY.collect

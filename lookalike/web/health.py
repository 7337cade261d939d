"""Whether the process is alive, and whether it can do its work. For supervisors and balancers."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from lookalike.web.context import platform

pages = Blueprint("health", __name__)


@pages.get("/healthz")
def healthz() -> Response:
    """Answer whenever the process lives."""
    return jsonify({"status": "ok"})


@pages.get("/readyz")
def readyz() -> tuple[Response, int]:
    """Name each part with its state; 503 unless all are ok."""
    readiness = platform().status.readiness()
    return jsonify({"ready": readiness.ready, "parts": readiness.parts}), (
        200 if readiness.ready else 503
    )

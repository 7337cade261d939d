"""The Flask app, as a table of contents."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, jsonify
from flask.json.provider import DefaultJSONProvider

from lookalike import __version__
from lookalike.services.platform import Platform
from lookalike.web import (
    admin,
    bodies,
    check,
    errors,
    failures,
    guards,
    health,
    import_pages,
    imports,
    indexes,
    libraries,
    metrics,
    models,
    pictures,
    recall,
    resources,
    search,
    status,
    tracing,
)
from lookalike.web.api import add_operations
from lookalike.web.context import EXTENSION
from lookalike.web.openapi import PREFIX, document
from lookalike.web.uploads import StagingRequest

MAX_FORM_PARTS = 2_000
"""Fields and files in one request. Each file costs an open file handle until it is stored."""

APIS = (
    libraries.api,
    pictures.api,
    search.api,
    models.api,
    status.api,
    recall.api,
    check.api,
    imports.api,
    indexes.api,
    failures.api,
    resources.api,
)
PAGES = (search.pages, pictures.pages, import_pages.pages, admin.pages, health.pages, metrics.pages)


class ReadableJson(DefaultJSONProvider):
    """JSON with its fields in the order of the schemas, which is how they read best."""

    sort_keys = False


def create_app(platform: Platform) -> Flask:
    """The WSGI app that serves `platform`'s pages and API."""
    app = Flask("lookalike.web")
    app.request_class = StagingRequest
    app.json = ReadableJson(app)
    app.extensions[EXTENSION] = platform
    app.config["MAX_CONTENT_LENGTH"] = platform.settings.max_request_bytes
    app.config["MAX_FORM_PARTS"] = MAX_FORM_PARTS
    tracing.trace(app)
    guards.protect(app)
    bodies.bound(app)
    errors.handle(app)
    for blueprint in (*PAGES, _api()):
        app.register_blueprint(blueprint)
    app.context_processor(lambda: _page_context(platform))
    return app


def _api() -> Blueprint:
    operations = [operation for api in APIS for operation in api.operations]
    described = document(operations)
    blueprint = Blueprint("api", __name__, url_prefix=PREFIX)
    add_operations(blueprint, operations)
    blueprint.add_url_rule("/openapi.json", "openapi", lambda: jsonify(described))
    return blueprint


def _page_context(platform: Platform) -> dict[str, Any]:
    settings = platform.settings
    limits = {
        "max_file_bytes": settings.max_file_bytes,
        "max_megapixels": settings.max_megapixels,
        "min_side": settings.min_side,
    }
    return {"version": __version__, "limits": limits}

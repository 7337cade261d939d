"""What a request can reach: the platform of the app that serves it."""

from __future__ import annotations

from typing import cast

from flask import current_app

from lookalike.services.platform import Platform

EXTENSION = "lookalike"


def platform() -> Platform:
    """The services behind the current request."""
    return cast(Platform, current_app.extensions[EXTENSION])

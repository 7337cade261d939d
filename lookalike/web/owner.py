"""Whether a request comes from whoever owns the data folder of this server."""

from __future__ import annotations

from secrets import compare_digest

from flask import Flask, current_app, request

HEADER = "X-Lookalike-Owner"
"""Carries the token that stands in the data folder, where nobody else can read it."""

TOKEN = "OWNER_TOKEN"  # noqa: S105  the name of the setting


def admit_owner(app: Flask, token: str) -> None:
    """Have the app know its owner by this token."""
    app.config[TOKEN] = token


def is_owner() -> bool:
    """Whether the request carries the token. Nobody is the owner of an app that has none."""
    token = current_app.config.get(TOKEN, "")
    return bool(token) and compare_digest(request.headers.get(HEADER, "").encode(), token.encode())

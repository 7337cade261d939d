"""What the web app refuses before any view runs, and the headers that bind browsers.

There is no log-in yet, so a page on another site must not be able to make a visitor's browser
change anything here, nor to read anything by pointing its own name at this machine.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, Response, request

from lookalike.services.errors import ForbiddenError
from lookalike.services.settings import Settings
from lookalike.web.context import platform

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def protect(app: Flask) -> None:
    """Check each request's host and origin, and put the headers on each response."""
    app.before_request(lambda: _check_host(platform().settings))
    app.before_request(_check_origin)
    app.after_request(_add_headers)


FOR_MACHINES = frozenset({"/healthz", "/readyz", "/metrics"})
"""On servers, supervisors and Prometheus ask these under whatever address a process has."""


def _check_host(settings: Settings) -> None:
    """Refuse names that are not ours: a foreign name pointed at us is DNS rebinding."""
    open_to_all = not settings.allowed_hosts or request.path in FOR_MACHINES
    if settings.allow_remote and open_to_all:
        return
    name = urlsplit(f"//{request.host}").hostname
    if name not in LOOPBACK and name not in settings.allowed_hosts:
        raise ForbiddenError(
            f"This server does not answer to the name {name!r}. Add it to "
            "LOOKALIKE_ALLOWED_HOSTS if it is yours."
        )


def _check_origin() -> None:
    """Refuse changes that a browser makes on behalf of another site."""
    if request.method in SAFE_METHODS:
        return
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin")
    ours = {None, f"http://{request.host}", f"https://{request.host}"}
    if site not in {"same-origin", "none"} or origin not in ours:
        raise ForbiddenError("Changes may only be made from Lookalike's own pages or a program.")


def _add_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response

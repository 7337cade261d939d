"""What goes wrong between here and the Qdrant server, sorted by what can be done about it."""

from __future__ import annotations

import httpx
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from lookalike.services.errors import LookalikeError, UnavailableError


class MissingError(Exception):
    """The server knows no such collection, or no such point. Never leaves this package."""


class UnansweredError(UnavailableError):
    """No answer in time, or no connection. Whether a write was done is not known."""


class FalteringError(UnavailableError):
    """The server answered that it cannot at the moment: overload, start-up, a lost replica."""


class RefusedError(UnavailableError):
    """The server will not do this, however often it is asked."""


def unanswered(doing: str, reason: str) -> UnansweredError:
    """The error for a server that gives no answer; `doing` completes "... while"."""
    return UnansweredError(
        f"The vector index did not answer while {doing}. Try again in a moment; if that does not "
        "help, check that the Qdrant server runs and that LOOKALIKE_QDRANT_URL names it.",
        reason=reason,
    )


def explained(error: Exception, doing: str) -> LookalikeError | MissingError:
    """What `error`, raised by the client, comes down to."""
    if isinstance(error, LookalikeError | MissingError):
        return error
    if isinstance(error, UnexpectedResponse):
        return _by_status(error, doing)
    if isinstance(error, ResourceExhaustedResponse):
        return _faltering(doing, str(error))
    if isinstance(error, ResponseHandlingException):
        reason = f"{type(error.source).__name__}: {error.source}"
        if isinstance(error.source, httpx.TransportError):
            return unanswered(doing, reason)
        return _refused(doing, reason)
    return _refused(doing, f"{type(error).__name__}: {error}")


def _by_status(error: UnexpectedResponse, doing: str) -> LookalikeError | MissingError:
    status, reason = error.status_code or 500, str(error)
    if status == 404:
        return MissingError(reason)
    if status in (401, 403):
        return RefusedError(
            "The Qdrant server does not accept the API key. Set LOOKALIKE_QDRANT_API_KEY to the "
            "key that the server was started with.",
            reason=reason,
        )
    if status in (408, 429) or status >= 500:
        return _faltering(doing, reason)
    return _refused(doing, reason)


def _faltering(doing: str, reason: str) -> FalteringError:
    return FalteringError(
        f"The vector index could not keep up while {doing}. Try again in a moment; if that does "
        "not help, look at the Qdrant server's log and its free memory and disk.",
        reason=reason,
    )


def _refused(doing: str, reason: str) -> RefusedError:
    return RefusedError(
        f"The vector index failed while {doing}. Check that LOOKALIKE_QDRANT_URL names a Qdrant "
        "server, that its version fits, and what its log says.",
        reason=reason,
    )

"""Errors as people and programs see them: one JSON shape for the API, one page for browsers."""

from __future__ import annotations

import errno
from http import HTTPStatus

import structlog
from flask import Flask, Response, jsonify, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from lookalike.services.errors import LookalikeError
from lookalike.web.openapi import PREFIX
from lookalike.web.schemas import ErrorAnswer, ErrorBody, RejectedImage

log = structlog.get_logger(__name__)

STATUS: dict[str, HTTPStatus] = {
    "empty_file": HTTPStatus.UNPROCESSABLE_ENTITY,
    "not_an_image": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "unsupported_format": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "corrupt": HTTPStatus.UNPROCESSABLE_ENTITY,
    "truncated": HTTPStatus.UNPROCESSABLE_ENTITY,
    "too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "too_many_pixels": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "too_small": HTTPStatus.UNPROCESSABLE_ENTITY,
    "blob_missing": HTTPStatus.GONE,
    "decoder_crashed": HTTPStatus.UNPROCESSABLE_ENTITY,
    "decode_timeout": HTTPStatus.UNPROCESSABLE_ENTITY,
    "too_much_memory": HTTPStatus.UNPROCESSABLE_ENTITY,
    "unsafe_name": HTTPStatus.UNPROCESSABLE_ENTITY,
    "not_a_file": HTTPStatus.UNPROCESSABLE_ENTITY,
    "nested_archive": HTTPStatus.UNPROCESSABLE_ENTITY,
    "encrypted": HTTPStatus.UNPROCESSABLE_ENTITY,
    "damaged_entry": HTTPStatus.UNPROCESSABLE_ENTITY,
    "ratio_too_high": HTTPStatus.UNPROCESSABLE_ENTITY,
    "duplicate_name": HTTPStatus.UNPROCESSABLE_ENTITY,
    "missing_file": HTTPStatus.UNPROCESSABLE_ENTITY,
    "bad_row": HTTPStatus.UNPROCESSABLE_ENTITY,
    "blocked_address": HTTPStatus.UNPROCESSABLE_ENTITY,
    "fetch_failed": HTTPStatus.UNPROCESSABLE_ENTITY,
    "fetch_timeout": HTTPStatus.UNPROCESSABLE_ENTITY,
    "bad_source": HTTPStatus.UNPROCESSABLE_ENTITY,
    "not_found": HTTPStatus.NOT_FOUND,
    "invalid_request": HTTPStatus.BAD_REQUEST,
    "forbidden": HTTPStatus.FORBIDDEN,
    "busy": HTTPStatus.CONFLICT,
    "gate_failed": HTTPStatus.CONFLICT,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "storage_full": HTTPStatus.INSUFFICIENT_STORAGE,
}

MESSAGES: dict[int, tuple[str, str]] = {
    404: ("not_found", "There is nothing at this address."),
    405: ("invalid_request", "This address does not take that method."),
    413: ("too_large", "The request is too large. Send fewer or smaller files at a time."),
    415: ("invalid_request", "Send the body as JSON, with Content-Type: application/json."),
}


class RefusedUploadError(LookalikeError):
    """Not one file of an upload was accepted; speaks with the first one's code and message."""

    def __init__(self, first: LookalikeError, rejected: list[RejectedImage]) -> None:
        details = {**first.details, "rejected": [one.model_dump() for one in rejected]}
        super().__init__(first.message, **details)
        self.code = first.code


def handle(app: Flask) -> None:
    """Answer every error in its proper shape; none reaches anyone as a stack trace."""
    app.register_error_handler(LookalikeError, _known)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(OSError, _storage)
    app.register_error_handler(Exception, _unknown)


def status_of(code: str) -> HTTPStatus:
    """The HTTP status that goes with an error code."""
    return STATUS.get(code, HTTPStatus.INTERNAL_SERVER_ERROR)


def body_of(error: LookalikeError) -> ErrorBody:
    """The API's view of an error."""
    return ErrorBody(code=error.code, message=error.message, details=dict(error.details))


def _known(error: LookalikeError) -> Response:
    return _respond(body_of(error), status_of(error.code))


def _http(error: HTTPException) -> Response:
    status = HTTPStatus(error.code or 500)
    fallback = ("invalid_request", "The request could not be understood. Check its form.")
    code, message = MESSAGES.get(status, fallback)
    response = _respond(ErrorBody(code=code, message=message), status)
    for name, value in error.get_headers():
        if name != "Content-Type":
            response.headers[name] = value
    return response


def _storage(error: OSError) -> Response:
    if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
        return _unknown(error)
    message = "The disk is full, so nothing was stored. Free some space and try again."
    body = ErrorBody(code="storage_full", message=message)
    return _respond(body, HTTPStatus.INSUFFICIENT_STORAGE)


def _unknown(error: Exception) -> Response:
    log.error("unexpected_error", path=request.path, exc_info=error)
    message = "Something went wrong on our side. The server's log has the details."
    return _respond(ErrorBody(code="internal", message=message), HTTPStatus.INTERNAL_SERVER_ERROR)


def _respond(body: ErrorBody, status: HTTPStatus) -> Response:
    if request.path.startswith(PREFIX) or not request.accept_mimetypes.accept_html:
        response = jsonify(ErrorAnswer(error=body).model_dump(mode="json"))
    else:
        page = render_template(
            "error.html", status=status.value, title=status.phrase, message=body.message
        )
        response = make_response(page)
    response.status_code = status
    return response

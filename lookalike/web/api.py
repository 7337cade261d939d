"""The JSON API's registry: each operation is declared once, checked at the door and documented.

An operation names its pydantic models. Requests are validated against them before the view runs,
and the OpenAPI document is made from the same declaration, so the two cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar, get_origin

from flask import Blueprint, Response, jsonify, request
from pydantic import BaseModel, Json, ValidationError
from pydantic.fields import FieldInfo

from lookalike.services.errors import InvalidRequestError, TooLargeError
from lookalike.services.filters import invalid_request
from lookalike.web.context import platform

MAX_JSON_BYTES = 1024 * 1024
"""A JSON body is held in memory as a whole, unlike the files of an upload."""

View = Callable[..., Any]
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Binary:
    """A response or request part that is bytes of these media types."""

    media_types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path, with everything that is promised about it.

    `query`, `body` and `form` are models of the query string, a JSON body and a multipart body;
    a form's file fields are named in `files`. `answer` is what `status` carries. Where somebody
    is `waiting` for it, background work of this process gives way meanwhile.
    """

    method: str
    path: str
    view: View
    summary: str
    tag: str
    status: int
    answer: type[BaseModel] | Binary | None
    query: type[BaseModel] | None
    body: type[BaseModel] | None
    form: type[BaseModel] | None
    waiting: bool


class Api:
    """Operations about one noun, for example pictures."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.operations: list[Operation] = []

    def operation(
        self,
        rule: str,
        summary: str,
        *,
        answer: type[BaseModel] | Binary | None,
        status: int = 200,
        query: type[BaseModel] | None = None,
        body: type[BaseModel] | None = None,
        form: type[BaseModel] | None = None,
        waiting: bool = False,
    ) -> Callable[[View], View]:
        """Declare the decorated view; `rule` is such as `GET /images/<uuid:picture_id>`.

        The view gets the path's values, and `query` and `body` validated. It may return a model
        or a finished response. A `form` is only documented: the view reads it.
        """
        method, path = rule.split(" ", 1)

        def declare(view: View) -> View:
            models = query, body, form
            self.operations.append(
                Operation(method, path, view, summary, self.tag, status, answer, *models, waiting)
            )
            return view

        return declare


def add_operations(blueprint: Blueprint, operations: Iterable[Operation]) -> None:
    """Give each operation its URL on the blueprint."""
    for operation in operations:
        blueprint.add_url_rule(
            operation.path,
            endpoint=f"{operation.view.__name__}",
            view_func=_checked(operation),
            methods=[operation.method],
        )


def _checked(operation: Operation) -> View:
    def run(**values: Any) -> Any:
        with platform().courtesy.answering() if operation.waiting else nullcontext():
            return _answer(operation, values)

    return run


def _answer(operation: Operation, values: dict[str, Any]) -> Any:
    if operation.query:
        values["query"] = read_query(operation.query)
    if operation.body and not (operation.form and is_multipart()):
        values["body"] = read_body(operation.body)
    return _respond(operation.view(**values), operation.status)


def _respond(result: Any, status: int) -> Any:
    if isinstance(result, BaseModel):
        return jsonify(result.model_dump(mode="json", by_alias=True)), status
    return result if result is not None else Response(status=status)


def is_multipart() -> bool:
    """Whether the request's body is a form with files."""
    return request.mimetype == "multipart/form-data"


def read_query(model: type[M]) -> M:
    """The query string as `model`. Raises InvalidRequestError, also for unknown names."""
    return _validated(model, _pick(model, request.args.to_dict(flat=False)))


def read_body(model: type[M]) -> M:
    """The JSON body as `model`. Raises InvalidRequestError, TooLargeError."""
    if not request.is_json:
        raise InvalidRequestError("Send the body as JSON, with Content-Type: application/json.")
    # A body in chunks does not say how long it is: it is read as far as it may be, and a byte.
    request.max_content_length = MAX_JSON_BYTES + 1
    told = request.content_length or 0
    if told > MAX_JSON_BYTES or len(request.get_data()) > MAX_JSON_BYTES:
        raise TooLargeError(
            "The JSON body is too large. Nothing that can be asked takes more than a megabyte.",
            max_bytes=MAX_JSON_BYTES,
        )
    try:
        return model.model_validate_json(request.get_data())
    except ValidationError as error:
        raise invalid_request(error) from error


def read_form(model: type[M]) -> M:
    """The text fields of a form as `model`. Raises InvalidRequestError."""
    return _validated(model, _pick(model, request.form.to_dict(flat=False)))


def _validated(model: type[M], data: Any) -> M:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise invalid_request(error) from error


def _may_repeat(field: FieldInfo) -> bool:
    """Whether the field is a list, and not one that is written as JSON in one value."""
    return get_origin(field.annotation) is list and Json not in map(type, field.metadata)


def _pick(model: type[BaseModel], sent: Mapping[str, list[str]]) -> dict[str, Any]:
    lists = {
        field.alias or name for name, field in model.model_fields.items() if _may_repeat(field)
    }
    for name, values in sent.items():
        if name not in lists and len(values) > 1:
            raise InvalidRequestError(f"{name}: may be given only once.", field=name)
    return {name: values if name in lists else values[0] for name, values in sent.items()}

"""The OpenAPI 3.1 document, made from the operations that the API really has."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from lookalike import __version__
from lookalike.web.api import Binary, Operation
from lookalike.web.schemas import ErrorAnswer

PREFIX = "/api/v1"
REFERENCE = "#/components/schemas/{model}"
CONVERTER = re.compile(r"<(?:(\w+):)?(\w+)>")


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    """The whole document for these operations."""
    operations = list(operations)
    _, definitions = models_json_schema(
        [(model, "validation") for model in _models(operations)], ref_template=REFERENCE
    )
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        path = CONVERTER.sub(r"{\2}", operation.path)
        paths.setdefault(path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Lookalike",
            "version": __version__,
            "summary": "Find the pictures that look like this one.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": PREFIX}],
        "paths": paths,
        "components": {"schemas": definitions.get("$defs", {})},
    }


def _models(operations: Iterable[Operation]) -> list[type[BaseModel]]:
    found: dict[type[BaseModel], None] = {ErrorAnswer: None}
    for operation in operations:
        for model in (operation.answer, operation.query, operation.body, operation.form):
            if isinstance(model, type):
                found[model] = None
    return list(found)


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.view.__name__,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": [*_path_parameters(operation.path), *_query_parameters(operation.query)],
        "responses": {
            str(operation.status): _answer(operation),
            "4XX": _error("The request cannot be served as it is; the message says why."),
            "5XX": _error("A part of the platform is not available."),
        },
    }
    if body := _body(operation):
        described["requestBody"] = {"required": True, "content": body}
    return described


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "format": "uuid"}
            if kind == "uuid"
            else {"type": "string"},
        }
        for kind, name in CONVERTER.findall(path)
    ]


def _query_parameters(model: type[BaseModel] | None) -> list[dict[str, Any]]:
    if model is None:
        return []
    schema = model.model_json_schema(ref_template=REFERENCE)
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required}
        | _parameter_schema({key: part for key, part in value.items() if key != "title"})
        for name, value in schema["properties"].items()
    ]


def _parameter_schema(schema: dict[str, Any]) -> dict[str, Any]:
    if "contentMediaType" in schema:  # a parameter that is itself JSON text
        return {"content": {"application/json": {"schema": schema["contentSchema"]}}}
    return {"schema": schema}


def _body(operation: Operation) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if operation.body:
        content["application/json"] = {"schema": _reference(operation.body)}
    if operation.form:
        content["multipart/form-data"] = {"schema": _reference(operation.form)}
    return content


def _answer(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {"description": operation.summary}
    if isinstance(operation.answer, Binary):
        described["content"] = {kind: {} for kind in operation.answer.media_types}
    elif operation.answer:
        described["content"] = {"application/json": {"schema": _reference(operation.answer)}}
    return described


def _error(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {"application/json": {"schema": _reference(ErrorAnswer)}},
    }


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": REFERENCE.format(model=model.__name__)}

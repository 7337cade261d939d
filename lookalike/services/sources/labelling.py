"""What a source says about a picture becomes title, tags and attributes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from lookalike.services.errors import BadRowError
from lookalike.services.filters import MAX_VALUES
from lookalike.services.labels import MAX_TAGS, Labels
from lookalike.services.records import Scalar

MAX_TITLE = 500
MAX_TEXT = 1000
"""Longest title and longest text of an attribute that `Labels` takes."""

EXACT = 2**53
"""Larger whole numbers cannot be kept exactly everywhere."""

CAPTION = "caption"
"""The attribute that holds what a source says in sentences."""

_WHOLE = re.compile(r"-?(0|[1-9]\d{0,15})", re.ASCII)
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,15})\.\d{1,17}([eE][+-]?\d{1,2})?", re.ASCII)
_BOOLEANS = {"true": True, "false": False}


def strict_labels(title: Any, tags: Any, attributes: Mapping[str, Any]) -> Labels:
    """Labels from a row that somebody wrote for us. Raises BadRowError that names the column.

    Tags are a list, or text with commas between them. Attributes that are None are left out.
    """
    given = {name: value for name, value in attributes.items() if value is not None}
    for name, value in given.items():
        if not isinstance(value, str | int | float):
            raise BadRowError(f"The column {name!r} holds a list or a group. Use text or numbers.")
        if isinstance(value, int) and abs(value) > EXACT:
            raise BadRowError(f"The column {name!r} holds a number of too many digits. Use text.")
    try:
        return Labels(title=_text(title), tags=_tags(tags), attributes=given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"][:2])
        raise BadRowError(f"{where}: {first['msg']}.") from error


def fitting_labels(title: str, tags: Any, attributes: Mapping[str, Any]) -> Labels:
    """Labels from what was written for others: long text is cut, what does not fit left out."""
    kept: dict[str, Scalar] = {}
    for name, value in attributes.items():
        cut = value[:MAX_TEXT] if isinstance(value, str) else value
        if len(kept) < MAX_VALUES and isinstance(cut, str | int | float) and _fits(name, cut):
            kept[name] = cut
    words = [tag for tag in _tags(tags) if _is_tag(tag)][:MAX_TAGS]
    return Labels(title=_fitting_title(title), tags=words, attributes=kept)


def captioned(captions: Iterable[str]) -> Labels:
    """The first caption as title, as many as fit as the attribute `caption`, one a line."""
    lines = [line for line in (" ".join(caption.split()) for caption in captions) if line]
    text = "\n".join(lines)
    if len(text) > MAX_TEXT:
        text = text[: MAX_TEXT + 1].rpartition("\n")[0] or text[:MAX_TEXT]
    return fitting_labels(lines[0] if lines else "", [], {CAPTION: text} if text else {})


def typed(text: str) -> Scalar | None:
    """What a cell of a CSV file means: a number, `true` or `false`, nothing, or its text.

    Only what reads the same when written again is a number: not `007`, `1e5` or `+49`.
    """
    text = text.strip()
    if not text:
        return None
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else _BOOLEANS.get(text.lower(), text)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str | int | float):
        return str(value)
    raise BadRowError("The title is a list or a group. Use text.")


def _tags(value: Any) -> list[str]:
    if value is None:
        return []
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        parts = [parts]
    return [text for text in (str(part).strip() for part in parts if part is not None) if text]


def _fitting_title(title: str) -> str:
    cut = " ".join(title.split())[:MAX_TITLE]
    try:
        return Labels(title=cut).title
    except ValidationError:
        return ""


def _fits(name: str, value: Scalar) -> bool:
    try:
        Labels(attributes={name: value})
    except ValidationError:
        return False
    return True


def _is_tag(tag: str) -> bool:
    try:
        Labels(tags=[tag])
    except ValidationError:
        return False
    return True

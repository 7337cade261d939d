"""Rows of a manifest that is text: CSV with a line of names, or JSON Lines."""

from __future__ import annotations

import csv
import json
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lookalike.services.errors import SourceError
from lookalike.services.sources.labelling import typed
from lookalike.services.sources.text_lines import Line

MOST_LINES = 100
"""A quoted cell may span this many. A quote that is never closed spoils its line alone."""

_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True, slots=True)
class Row:
    """One row by column. `problem` says why it cannot be used; then it has no values.

    `number` is that of its line in the file (in a Parquet table, of the row), from 1.
    """

    number: int
    values: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""


def json_rows(lines: Iterable[Line]) -> Iterator[Row]:
    """A JSON object a line; blank lines are passed over."""
    for line in lines:
        if line.problem or line.text.strip():
            yield _json_row(line)


def csv_rows(
    lines: Iterable[Line], text_columns: Collection[str], max_letters: int
) -> Iterator[Row]:
    """Rows below a line of names; blank lines are passed over.

    The names tell whether commas, semicolons, tabs or bars are between cells. Cells are typed as
    `labelling.typed` says, those of `text_columns` stay as they are. `max_letters`: of a row.
    Raises SourceError where the line of names is wrong.
    """
    records = _records(lines, max_letters)
    first = next(records, [])
    delimiter = max(_DELIMITERS, key=first[0].text.count) if first else ","
    names = _names(first, delimiter)
    for record in records:
        if any(line.problem or line.text.strip() for line in record):
            yield _csv_row(record, names, delimiter, text_columns)


def _json_row(line: Line) -> Row:
    if line.problem:
        return Row(line.number, problem=line.problem)
    try:
        values = json.loads(line.text)
    except (ValueError, RecursionError):
        return Row(line.number, problem="The line is not JSON. Write one object a line.")
    if not isinstance(values, dict):
        return Row(line.number, problem="The line is not a JSON object with names and values.")
    return Row(line.number, values)


def _names(first: list[Line], delimiter: str) -> list[str]:
    try:
        names = [name.strip() for name in _cells(first, delimiter)]
    except csv.Error:
        names = []
    if not any(names) or len(set(names)) < len(names) or first[0].problem:
        raise SourceError(
            "The first line of the manifest must name its columns, each once, such as "
            "path,title,tags."
        )
    return names


def _csv_row(
    record: list[Line], names: list[str], delimiter: str, text_columns: Collection[str]
) -> Row:
    number = record[0].number
    if record[0].problem:
        return Row(number, problem=record[0].problem)
    try:
        cells = _cells(record, delimiter)
    except csv.Error as error:
        return Row(number, problem=f"The line cannot be read ({error}). Check its quotes.")
    if len(cells) != len(names):
        return Row(
            number, problem=f"The line has {len(cells)} cells, the first one {len(names)} names."
        )
    pairs = zip(names, cells, strict=True)
    return Row(
        number, {name: cell if name in text_columns else typed(cell) for name, cell in pairs}
    )


def _cells(record: list[Line], delimiter: str) -> list[str]:
    lines = (f"{line.text}\n" for line in record)
    return next(csv.reader(lines, delimiter=delimiter, strict=True), [])


def _records(lines: Iterable[Line], max_letters: int) -> Iterator[list[Line]]:
    """Lines that quotes hold together. One with a quote that is not closed comes alone."""
    waiting: deque[Line] = deque()
    rest = iter(lines)
    while first := _next(waiting, rest):
        record, quotes, letters = [first], first.text.count('"'), len(first.text)
        while quotes % 2 and len(record) < MOST_LINES and letters <= max_letters:
            line = _next(waiting, rest)
            if line is None:
                break
            record.append(line)
            quotes, letters = quotes + line.text.count('"'), letters + len(line.text)
        if quotes % 2:
            waiting.extendleft(reversed(record[1:]))
            record = [first]
        yield record


def _next(waiting: deque[Line], rest: Iterator[Line]) -> Line | None:
    return waiting.popleft() if waiting else next(rest, None)

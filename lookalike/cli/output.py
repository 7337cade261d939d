"""How commands print."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text


def print_json(data: Any) -> None:
    """Print for programs."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=False, default=str))


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    folded: Container[str] | None = None,
) -> None:
    """Print for people; cells are shown as they are, whatever is in them.

    On a narrow terminal all columns are folded, or, closer together, only those that are named.
    """
    close = folded is not None
    table = Table(box=None, pad_edge=False, header_style="bold", collapse_padding=close)
    for column in columns:
        whole = folded is not None and column not in folded
        table.add_column(column, overflow="fold", no_wrap=whole)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)

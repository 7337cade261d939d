"""Indexes as people read them: a row each to choose by, or one with its figures and gates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click
from rich.filesize import decimal

from lookalike.cli.output import print_table

COLUMNS = (
    "id",
    "model",
    "storage",
    "state",
    "pictures",
    "bytes",
    "recall",
    "ms",
    "overlap",
)
SHORTEST = 8
NOTHING = "-"


def print_indexes(indexes: Sequence[dict[str, Any]]) -> None:
    """A row for each index. Ids are cut to beginnings that tell them apart."""
    length = distinct(one["id"] for one in indexes)
    print_table(COLUMNS, (_row(one, one["id"][:length]) for one in indexes), {"model"})


def distinct(ids: Iterable[str]) -> int:
    """How many first characters tell these ids apart."""
    known = set(ids)
    lengths = range(SHORTEST, max(map(len, known), default=SHORTEST) + 1)
    return next(n for n in lengths if len({one[:n] for one in known}) == len(known))


def _row(one: dict[str, Any], name: str) -> tuple[str, ...]:
    figures = one["figures"] or {}
    searches = figures.get("searches", {}).get("unfiltered")
    return (
        name,
        f"{one['model']}\n{one['recipe']}",
        one["storage"],
        state_of(one),
        str(one["images"]["indexed"]),
        _figure(figures.get("bytes_per_picture"), ".0f"),
        _figure(searches and searches["recall"], ".4f"),
        _figure(searches and searches["usual"]["median_ms"], ".1f"),
        _figure(figures.get("overlap"), ".2f"),
    )


def state_of(one: dict[str, Any]) -> str:
    """Its state, and what is done for it: `building, 40%`, `live, measure`."""
    if one["paused"]:
        return f"{one['state']}, paused"
    if one["task"] == "build" and one["pictures"]:
        images = one["images"]
        return f"{one['state']}, {100 * (images['indexed'] + images['failed']) // one['pictures']}%"
    return f"{one['state']}, {one['task']}" if one["task"] else str(one["state"])


def print_index(one: dict[str, Any]) -> None:
    """An index with all that was measured of it, its gates, and what is in the way."""
    click.echo(f"Index {one['id']} ({state_of(one)})")
    click.echo(f"{one['model']}: {one['recipe']}; {one['storage']}, {one['distance']}")
    click.echo(_pictures(one))
    if one["figures"]:
        _print_figures(one["figures"])
    if one["gates"]:
        click.echo()
        print_table(("gate", "", "measured", "needed"), map(_gate, one["gates"]))
    failed = [gate["message"] for gate in one["gates"] if not gate["passed"]]
    if why := (one["error"] or {}).get("message") or one["message"] or " ".join(failed):
        click.echo(why, err=True)


def _pictures(one: dict[str, Any]) -> str:
    images = one["images"]
    counts = f"{images['indexed']:,} indexed, {images['failed']:,} failed"
    if images["pending"]:
        counts += f", {images['pending']:,} pending"
    return f"{one['pictures']:,} pictures: {counts}"


def _print_figures(figures: dict[str, Any]) -> None:
    if figures["bytes_per_picture"] is not None:
        click.echo(f"Bytes per picture: {decimal(round(figures['bytes_per_picture']))}")
    if figures["overlap"] is not None:
        click.echo(f"Results that the live index gives too: {figures['overlap']:.0%}")
    if figures["searches"]:
        click.echo()
        columns = ("filter", "recall@10", "median ms", "p95 ms", "exact ms", "searches")
        print_table(columns, map(_searches, figures["searches"].items()))


def _searches(shape: tuple[str, dict[str, Any]]) -> tuple[str, ...]:
    name, searches = shape
    usual, exact = searches["usual"], searches["exact"]
    return (
        name,
        f"{searches['recall']:.4f}",
        f"{usual['median_ms']:.1f}",
        f"{usual['p95_ms']:.1f}",
        f"{exact['median_ms']:.1f}",
        str(searches["queries"]),
    )


def _gate(gate: dict[str, Any]) -> tuple[str, ...]:
    tell: Callable[[float | None], str] = lambda value: _figure(value, _form(gate))  # noqa: E731
    measured = tell(gate["measured"])
    return gate["name"], "passed" if gate["passed"] else "FAILED", measured, tell(gate["needed"])


def _form(gate: dict[str, Any]) -> str:
    """Counts are whole, shares are not."""
    return ".0f" if gate["name"] in {"counts", "missing"} else ".4f"


def _figure(value: float | None, form: str) -> str:
    return NOTHING if value is None else format(value, form)

"""Stays with an index for as long as workers are at it, and shows how far they are."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from lookalike.cli.client import Client

POLL_SECONDS = 0.5

DOING = {"retire": "Clearing away", "switch": "Switching"}

PACE_SECONDS = 120.0
"""How far back the pace is measured that the time left is told by."""


def follow(client: Client, index_id: str, *, visible: bool) -> dict[str, Any]:
    """Stay until nothing is done for the index any more, or it is paused; how it is then.

    A bar on the terminal counts the pictures, then says what is measured. The time left is that
    for the pictures, at the pace of the last minutes.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    hidden = not (visible and console.is_terminal)
    with Progress(
        *columns, console=console, disable=hidden, speed_estimate_period=PACE_SECONDS
    ) as bar:
        task = None
        while True:
            one = client.get_index(index_id)
            task = _show(bar, task, one)
            if has_ended(one):
                return one
            time.sleep(POLL_SECONDS)


def has_ended(one: dict[str, Any]) -> bool:
    """Whether nothing goes on by itself."""
    return bool(one["paused"] or (one["task"] is None and one["state"] != "building"))


def _show(bar: Progress, task: TaskID | None, one: dict[str, Any]) -> TaskID:
    done = one["images"]["indexed"] + one["images"]["failed"]
    total = one["pictures"] if is_filling(one) else None
    if task is None:
        # What was there before is no pace.
        task = bar.add_task("", total=total, completed=done, note="")
    bar.update(task, description=_doing(one), total=total, completed=done, note=_note(one, done))
    return task


def is_filling(one: dict[str, Any]) -> bool:
    """Whether pictures are still brought into the index, and nothing else is done first."""
    images = one["images"]
    filled = images["indexed"] + images["failed"] >= one["pictures"]
    return one["task"] == "build" and not filled and not one["message"]


def _doing(one: dict[str, Any]) -> str:
    if is_filling(one):
        return f"Building {one['model']}"
    return str(one["message"] or DOING.get(one["task"], "Measuring"))


def _note(one: dict[str, Any], done: int) -> str:
    failed = one["images"]["failed"]
    counted = f"{done:,} of {one['pictures']:,} pictures"
    return f"{counted}, [red]{failed:,} failed[/]" if failed else counted

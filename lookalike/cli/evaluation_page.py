"""The report of `lookalike evaluate` as one HTML file that needs nothing beside it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader

from lookalike.services.errors import LookalikeError
from lookalike.services.imaging.decoding import decode
from lookalike.services.imaging.limits import Limits
from lookalike.services.imaging.thumbnails import thumbnail
from lookalike.services.labelled import LabelledFile
from lookalike.services.reports import Report

SIDE = 128
"""Longest side of the pictures in the report, in pixels: 3 to 6 KB each."""


def evaluation_page(folder: Path, reports: Sequence[Report], limits: Limits) -> str:
    """The figures of the reports side by side, and rows of neighbours for the same examples.

    The reports are of the same `folder`. Pictures are small copies within the page.
    """
    pages = Environment(loader=PackageLoader("lookalike.cli"), autoescape=True)
    rows = [
        (examples[0].file, list(zip(reports, examples, strict=True)))
        for examples in zip(*(report.examples for report in reports), strict=True)
    ]
    template = pages.get_template("evaluation.html")
    return template.render(
        folder=folder.name, reports=reports, rows=rows, small=_small_copies(limits)
    )


def _small_copies(limits: Limits) -> Callable[[LabelledFile], str]:
    """Gives a picture as a `data:` URL, reading each file once."""

    @cache
    def small(file: LabelledFile) -> str:
        try:
            with file.path.open("rb") as stream:
                copy = thumbnail(decode(stream, limits, SIDE), SIDE)
        except (LookalikeError, OSError):  # it was whole a minute ago; its name is shown instead
            return "data:,"
        return f"data:image/jpeg;base64,{b64encode(copy).decode()}"

    return small

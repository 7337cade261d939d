"""Lines of a text that a stranger wrote, each with its number, however long or odd they are."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from lookalike.services.errors import SourceError
from lookalike.services.sources.copying import BLOCK

_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16", codecs.BOM_UTF8: "utf-8"}


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its end. `number` counts from 1. `problem` says why it cannot be used."""

    number: int
    text: str
    problem: str = ""


class TextLines:
    """The lines of a file.

    `encoding` is any that Python knows; a byte order mark at the beginning has the last word.
    Raises SourceError for one that nobody knows.
    """

    def __init__(self, file: BinaryIO, encoding: str, max_bytes: int) -> None:
        self._file = file
        file.seek(0)
        begin = file.read(3)
        marked = (name for mark, name in _MARKS.items() if begin.startswith(mark))
        self._encoding = _known(next(marked, encoding))
        self._max_letters = max_bytes

    def __iter__(self) -> Iterator[Line]:
        """Every line, blank ones too. A line that is too long is given without its text."""
        for number, text in enumerate(self._split(), 1):
            yield self._checked(number, text)

    def _checked(self, number: int, text: str) -> Line:
        if len(text) > self._max_letters:
            return Line(number, "", f"The line has more than {self._max_letters} letters.")
        if any("\ud800" <= letter <= "\udfff" or letter == "\ufffd" for letter in text):
            return Line(
                number, "", f"The line is not {self._encoding.upper()}. Name the file's encoding."
            )
        if "\x00" in text:
            return Line(number, "", "The line holds NUL characters, which no text has.")
        return Line(number, text)

    def _split(self) -> Iterator[str]:
        """Text between line ends; beyond the limit only enough of it to tell."""
        held = ""
        for piece in self._pieces():
            lines = (held + piece).replace("\r\n", "\n").split("\n")
            held = lines.pop()
            yield from lines
            held = held[: self._max_letters + 1] if not held.endswith("\r") else held
        if held:
            yield held

    def _pieces(self) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder(self._encoding)("replace")
        place = 0
        while True:
            # Others may read the file between two pieces.
            self._file.seek(place)
            data = self._file.read(BLOCK)
            place += len(data)
            text = decoder.decode(data, final=not data)
            yield text.removeprefix("\ufeff") if place == len(data) else text
            if not data:
                return


def _known(encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except (LookupError, ValueError):
        raise SourceError(
            f"There is no encoding {encoding!r}. Use utf-8, utf-16 or cp1252 (Windows)."
        ) from None

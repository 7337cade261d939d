"""Lines of a text that a stranger wrote, each with its number, however long or odd they are."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal, TypeAlias

from lookalike.services.sources.copying import BLOCK

Encoding: TypeAlias = Literal["utf-8", "utf-16", "cp1252", "latin-1"]

_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16", codecs.BOM_UTF8: "utf-8"}


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its end. `number` counts from 1. `problem` says why it cannot be used."""

    number: int
    text: str
    problem: str = ""


class TextLines:
    """The lines of a file; a byte order mark at its beginning overrules `encoding`.

    Leaves the file open, and does not mind when others read it in between.
    """

    def __init__(self, file: BinaryIO, encoding: Encoding, max_letters: int) -> None:
        self._file = file
        file.seek(0)
        begin = file.read(3)
        marked = (name for mark, name in _MARKS.items() if begin.startswith(mark))
        self._encoding = next(marked, encoding)
        self._max_letters = max_letters

    def __iter__(self) -> Iterator[Line]:
        """Every line, blank ones too. One that is too long is given without its text."""
        for number, text in enumerate(self._split(), 1):
            problem = self._problem(text)
            yield Line(number, "" if problem else text, problem)

    def _problem(self, text: str) -> str:
        if len(text) > self._max_letters:
            return f"The line has more than {self._max_letters} letters."
        if "\ufffd" in text:
            return f"The line is not written in {self._encoding}. Name the encoding of the file."
        return "The line holds NUL characters, which text never does." if "\x00" in text else ""

    def _split(self) -> Iterator[str]:
        """What is between line ends; of a line that is too long only enough to tell."""
        held = ""
        for piece in self._pieces():
            *lines, held = (held + piece).split("\n")
            for line in lines:
                yield line.removesuffix("\r")
            held = held[: self._max_letters + 2]
        if held:
            yield held

    def _pieces(self) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder(self._encoding)("replace")
        place = 0
        self._file.seek(place)
        while data := self._file.read(BLOCK):
            text = decoder.decode(data)
            yield text if place else text.removeprefix("\ufeff")
            place += len(data)
            self._file.seek(place)
        yield decoder.decode(b"", final=True)

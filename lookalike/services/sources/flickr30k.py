"""The layout of Flickr30k: a folder of pictures, and a file with five captions for each.

The captions file is one of those in which the data set goes round:

- `results_20130124.token`: `1000092795.jpg#0`, a tab, the caption;
- `results.csv`: `image_name| comment_number| comment`;
- `captions.txt` (as Flickr8k has it): `image,caption` with quotes around captions with commas.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import BinaryIO

from lookalike.services.errors import BadRowError, DuplicateNameError, PictureError
from lookalike.services.sources.labelling import captioned
from lookalike.services.sources.names import is_picture, shown
from lookalike.services.sources.records import Found, Item, Refused, Sink, SourceLimits
from lookalike.services.sources.seen import Seen
from lookalike.services.sources.server_files import Kind, ServerFolder
from lookalike.services.sources.text_lines import Encoding, Line, TextLines

MOST_CAPTIONS = 100
"""The data set has five. What lies beyond would not fit into an attribute."""

_FORMS = (
    re.compile(r"(?P<picture>[^\t#]+)#\d+\t(?P<text>.*)"),
    re.compile(r"(?P<picture>[^|]+)\|\s*\d+\s*\|(?P<text>.*)"),
    re.compile(r"(?P<picture>[^,|\t]+),(?P<text>.*)"),
)
_HEADER = re.compile(r"image(_name)?\s*[,|]")


@dataclass(frozen=True, slots=True)
class _Picture:
    """A picture's name and captions, or what is wrong."""

    name: str
    captions: tuple[str, ...] = ()
    error: PictureError | None = None


class Flickr30kSource:
    """Pictures in the order of the captions file, then those of the folder that it leaves out.

    The first caption is the title, all of them, a line each, the attribute `caption` as far as
    they fit. A line that names no picture, and a picture that is not there, fail alone.
    """

    def __init__(
        self, folder: ServerFolder, captions: BinaryIO, encoding: Encoding, limits: SourceLimits
    ) -> None:
        """Take over the folder of pictures and the captions file."""
        self._folder = folder
        self._captions = captions
        self._encoding: Encoding = encoding
        self._limits = limits

    def items(self, start: int = 0) -> Iterator[Item]:
        """See Source."""
        for position, one in islice(enumerate(self._pictures()), start, None):
            name = shown(one.name)
            if one.error:
                yield Refused(position, name, one.error)
            else:
                yield Found(position, name, captioned(one.captions), partial(self._read, one.name))

    def total(self) -> int:
        """See Source."""
        return sum(1 for _ in self._pictures())

    def close(self) -> None:
        """See Source."""
        self._folder.close()
        self._captions.close()

    def _read(self, name: str, sink: Sink) -> None:
        self._folder.copy(name, sink, self._limits.max_bytes)

    def _pictures(self) -> Iterator[_Picture]:
        """What the captions file says, then what the folder has besides."""
        seen = Seen()
        for picture in self._captioned():
            if picture.error is None and not seen.add(_bytes(picture.name)):
                error = DuplicateNameError("The captions of this picture are in two places.")
                yield replace(picture, error=error)
            else:
                yield picture
        for name, kind in self._folder.list(""):
            if kind is Kind.FILE and is_picture(name) and seen.add(_bytes(name)):
                yield _Picture(name)

    def _captioned(self) -> Iterator[_Picture]:
        name, texts = "", list[str]()
        for line in TextLines(self._captions, self._encoding, self._limits.max_text_bytes):
            match = _match(line)
            if match is None:
                if not _is_idle(line):
                    yield _unreadable(line)
                continue
            if name and match["picture"].strip() != name:
                yield _Picture(name, tuple(texts))
                texts.clear()
            name = match["picture"].strip()
            if len(texts) < MOST_CAPTIONS:
                texts.append(_unquoted(match["text"]))
        if name:
            yield _Picture(name, tuple(texts))


def _match(line: Line) -> re.Match[str] | None:
    """The picture and its caption, in whichever form; None where the line names no picture."""
    found = (form.fullmatch(line.text) for form in _FORMS)
    return next((one for one in found if one and is_picture(one["picture"].strip())), None)


def _is_idle(line: Line) -> bool:
    """Whether nothing is wrong with a line that names no picture: it is blank, or has headings."""
    if line.problem:
        return False
    return not line.text.strip() or (line.number == 1 and bool(_HEADER.match(line.text)))


def _unreadable(line: Line) -> _Picture:
    problem = line.problem or "It names no picture, or has no caption."
    error = BadRowError(f"Line {line.number} of the captions: {problem}", line=line.number)
    return _Picture(f"line {line.number}", error=error)


def _unquoted(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        return text[1:-1].replace('""', '"')
    return text


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")

"""A WebDataset shard: a tar archive in which files of one stem are one sample.

`0001.jpg`, `0001.json`, `0001.cls` and `0001.txt`, one after the other, are a picture and what is
known of it. The stem ends at the first dot of the file's name, as WebDataset has it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, BinaryIO

from lookalike.services.errors import PictureError
from lookalike.services.labels import Labels
from lookalike.services.sources.labelling import CAPTION, fitting_labels, typed
from lookalike.services.sources.names import is_hidden, is_picture, shown
from lookalike.services.sources.records import Found, Item, Refused, Sink, SourceLimits
from lookalike.services.sources.tars import Entry, TarReader

_TEXTS = frozenset({"json", "txt", "cls"})

MOST_WAITING = 1000
"""Pictures of one stem that wait for their labels, good or refused. Samples have a few; behind so
many, those so far go on with the labels there are."""


@dataclass(slots=True)
class _Sample:
    """The files of one stem so far. `size`: bytes of the pictures, which wait for their labels."""

    stem: str
    size: int = 0
    pictures: list[tuple[str, bytes | PictureError]] = field(default_factory=list)
    texts: dict[str, bytes] = field(default_factory=dict)


class WebDatasetSource:
    """The pictures of a shard, in order.

    `.json` gives title, tags and attributes; what does not fit is left out. `.txt` becomes the
    title and the attribute `caption`, `.cls` the attribute `class`. Holds one sample:
    `MOST_WAITING` pictures at most, which together may be as large as one picture.
    """

    def __init__(self, file: BinaryIO, limits: SourceLimits) -> None:
        """Take over `file`. Raises SourceError where it is no tar archive."""
        self._reader = TarReader(file, limits)
        self._limits = limits

    def items(self, start: int = 0) -> Iterator[Item]:
        """See Source."""
        pictures = (one for sample in self._samples() for one in _items(sample))
        for position, (name, data, labels) in islice(enumerate(pictures), start, None):
            if isinstance(data, PictureError):
                yield Refused(position, name, data)
            else:
                yield Found(position, name, labels, partial(_write, data))

    def total(self) -> int | None:
        """See Source. None for a packed shard."""
        if self._reader.is_packed:
            return None
        entries = self._reader.entries(_is_part)
        return sum(1 for entry in entries if not isinstance(entry, Entry) or is_picture(entry.name))

    def close(self) -> None:
        """See Source."""
        self._reader.close()

    def _samples(self) -> Iterator[_Sample]:
        sample = _Sample("")
        for entry in self._reader.entries(_is_part):
            name = entry.name if isinstance(entry, Entry) else entry[0]
            stem, ending = _split(name)
            if stem != sample.stem:
                yield sample
                sample = _Sample(stem)
            elif len(sample.pictures) >= MOST_WAITING:
                yield sample
                sample = _Sample(stem, texts=sample.texts)
            if isinstance(entry, Entry):
                self._take(sample, entry, ending)
            else:
                sample.pictures.append((shown(name), entry[1]))
        yield sample

    def _take(self, sample: _Sample, entry: Entry, ending: str) -> None:
        data = _Memory()
        is_text = ending in _TEXTS
        most = self._limits.max_text_bytes if is_text else self._limits.max_bytes - sample.size
        try:
            entry.read(data, most)
        except PictureError as error:
            sample.pictures.append((shown(entry.name), error))
            return
        if is_text:
            sample.texts[ending] = bytes(data.held)
        else:
            sample.pictures.append((shown(entry.name), bytes(data.held)))
            sample.size += len(data.held)


class _Memory:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.held = bytearray()

    def write(self, data: bytes) -> int:
        """See Sink."""
        self.held += data
        return len(data)


def _write(data: bytes, sink: Sink) -> None:
    sink.write(data)


def _items(sample: _Sample) -> Iterator[tuple[str, bytes | PictureError, Labels]]:
    labels = _labels(sample.texts) if sample.pictures else Labels()
    for name, data in sample.pictures:
        yield name, data, labels


def _labels(texts: Mapping[str, bytes]) -> Labels:
    known = _json_object(texts.get("json", b""))
    title, tags = known.pop("title", ""), known.pop("tags", [])
    caption = texts.get("txt", b"").decode("utf-8", "replace").strip()
    if caption:
        known[CAPTION] = caption
    if (group := typed(texts.get("cls", b"").decode("utf-8", "replace"))) is not None:
        known["class"] = group
    return fitting_labels(title if isinstance(title, str) and title else caption, tags, known)


def _json_object(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _is_part(name: str) -> bool:
    return not is_hidden(name) and (is_picture(name) or _split(name)[1] in _TEXTS)


def _split(name: str) -> tuple[str, str]:
    folder, slash, file = name.rpartition("/")
    stem, _, ending = file.partition(".")
    return f"{folder}{slash}{stem}", ending.lower()

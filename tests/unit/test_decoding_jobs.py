"""What crosses between processes that decode, and what decoding makes of memory that ends."""

from __future__ import annotations

import errno
import os
import pickle
from collections.abc import Iterator
from io import BytesIO

import pytest
from PIL import Image, JpegImagePlugin

from lookalike.services import indexing
from lookalike.services.adapters.decoding import jobs
from lookalike.services.adapters.decoding.inline import InlineDecoder
from lookalike.services.decoding import read_picture
from lookalike.services.errors import (
    LookalikeError,
    TooLargeError,
    TooManyPixelsError,
    TooMuchMemoryError,
    UnavailableError,
)
from lookalike.services.imaging.limits import Limits
from tests.factories import LIMITS, picture, saved

assert indexing  # it adds an error of its own


def kinds(base: type[LookalikeError] = LookalikeError) -> Iterator[type[LookalikeError]]:
    yield base
    for kind in base.__subclasses__():
        if kind.__module__.startswith("lookalike.services."):
            yield from kinds(kind)


@pytest.mark.parametrize("kind", list(kinds()), ids=lambda kind: kind.__name__)
def test_every_error_is_the_same_on_the_other_side(kind: type[LookalikeError]):
    error = kind("It is wrong.", limit=3, size=(1, 2), name="é")
    error.__cause__ = OSError("never crosses")
    other = pickle.loads(pickle.dumps(error))
    assert type(other) is kind
    assert (other.code, other.message, str(other)) == (kind.code, "It is wrong.", "It is wrong.")
    assert other.details == {"limit": 3, "size": (1, 2), "name": "é"}


def test_a_large_picture_is_left_for_its_turn_by_its_header_alone():
    def tried(side: int) -> jobs.Turn | str:
        header = saved(Image.new("1", (side, 5_000)), "PNG")[:200]
        return jobs.attempt_unless_large(lambda *_: "tried", header, LIMITS)

    assert tried(5_000) == "tried"
    assert tried(5_001) is jobs.Turn.NEEDED


def test_a_file_is_read_from_its_beginning_and_no_further_than_one_byte_too_many():
    file = BytesIO(bytes(100))
    file.seek(50)
    assert len(read_picture(file, Limits(100, 1, 1))) == 100
    data = read_picture(file, Limits(10, 1, 1))
    assert len(data) == 11
    with pytest.raises(TooLargeError):
        InlineDecoder(Limits(10, 1, 1)).make_thumbnail(data, 64)


def test_a_file_that_cannot_be_read_is_no_bad_picture():
    class FailingFile(BytesIO):
        def read(self, *_):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.raises(UnavailableError, match="Input/output error"):
        read_picture(FailingFile(), LIMITS)


def starved(*_, **__):
    raise MemoryError


def test_memory_that_ends_in_a_decoder_or_after_it_is_told_as_that(monkeypatch):
    decoder = InlineDecoder(LIMITS)
    monkeypatch.setattr(jobs, "thumbnail", starved)
    with pytest.raises(TooMuchMemoryError, match="smaller"):
        decoder.make_thumbnail(picture(), 64)
    monkeypatch.undo()
    monkeypatch.setattr(JpegImagePlugin.JpegImageFile, "load", starved)
    with pytest.raises(TooMuchMemoryError, match="smaller"):
        decoder.make_thumbnail(picture(), 64)


def test_too_many_pixels_are_not_taken_for_too_much_memory():
    with pytest.raises(TooManyPixelsError):
        InlineDecoder(Limits(10**6, 100, 1)).make_thumbnail(picture(), 64)

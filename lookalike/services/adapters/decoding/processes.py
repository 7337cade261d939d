"""Decoding in processes that can be killed: no picture ends or stalls this one."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, TypeVar

import structlog

from lookalike.services.adapters.decoding import jobs
from lookalike.services.adapters.decoding.children import (
    ChildDiedError,
    Children,
    OutOfTimeError,
)
from lookalike.services.decoding import Prepared
from lookalike.services.errors import (
    DecoderCrashedError,
    DecodeTimeoutError,
    PictureError,
    TooMuchMemoryError,
    UnavailableError,
)
from lookalike.services.imaging.limits import Limits
from lookalike.services.imaging.preparing import Box
from lookalike.services.records import Pixels, Recipe

log = structlog.get_logger(__name__)

T = TypeVar("T")

SECONDS = 30.0
MEGABYTES = 2500
"""The hungriest picture that is accepted, 100 megapixels of AVIF, takes 1,300."""

DOUBT = 10
"""So many pictures blamed in a row, with none decoded in between, make us doubt ourselves."""


class ProcessDecoder:
    """A `Decoder` with processes of its own: one picture in each at a time.

    A picture that takes longer than `seconds`, or more than `megabytes` of memory, or that ends
    its process and then, alone, another one, is refused; all others go on. Large pictures are
    decoded one at a time. Nothing is started before the first picture or `warm`. In the
    `background`, they step back; not as far as what computes does, because their time is measured.
    """

    def __init__(
        self,
        limits: Limits,
        processes: int,
        seconds: float = SECONDS,
        megabytes: int = MEGABYTES,
        *,
        background: bool = False,
    ) -> None:
        self._limits = limits
        self._seconds = seconds
        self._megabytes = megabytes
        self._children = Children(processes, seconds, megabytes, background=background)
        self._alone = threading.Lock()
        self._blamed = 0

    def prepare_for_index(self, data: bytes, recipes: Sequence[Recipe], side: int) -> Prepared:
        """As the port promises."""
        return self.run(jobs.prepare_for_index, data, recipes, side)

    def prepare_query(self, data: bytes, recipe: Recipe, box: Box | None) -> Pixels:
        """As the port promises."""
        return self.run(jobs.prepare_query, data, recipe, box)

    def make_thumbnail(self, data: bytes, side: int) -> bytes:
        """As the port promises."""
        return self.run(jobs.make_thumbnail, data, side)

    def warm(self) -> None:
        """As the port promises."""
        self._children.warm()

    def close(self) -> None:
        """As the port promises."""
        self._children.close()

    def run(self, job: jobs.Job[T], data: bytes, *arguments: Any) -> T:
        """Run a job on a picture, in a process.

        Raises PictureError for the picture's faults, UnavailableError for our own.
        """
        try:
            result = self._blaming(job, data, arguments)
        except (DecoderCrashedError, DecodeTimeoutError, TooMuchMemoryError) as error:
            self._doubt_ourselves(error)
            raise
        except PictureError:
            self._blamed = 0
            raise
        self._blamed = 0
        return result

    def _blaming(self, job: jobs.Job[T], data: bytes, arguments: tuple[Any, ...]) -> T:
        try:
            return self._twice(job, data, arguments)
        except ChildDiedError as error:
            raise DecoderCrashedError(
                "The picture makes the program that decodes it crash. Open it in another program "
                "and save it again."
            ) from error
        except OutOfTimeError as error:
            raise DecodeTimeoutError(
                f"Decoding the picture takes longer than {self._seconds:g} seconds. Make it "
                "smaller, or save it again in another program.",
                seconds=self._seconds,
            ) from error

    def _twice(self, job: jobs.Job[T], data: bytes, arguments: tuple[Any, ...]) -> T:
        """Once more alone after a crash: the system may have run out of memory for another's."""
        try:
            return self._at_its_turn(job, data, arguments)
        except ChildDiedError:
            log.warning("decoding_process_died", bytes=len(data))
            return self._once_alone(job, data, arguments)

    def _at_its_turn(self, job: jobs.Job[T], data: bytes, arguments: tuple[Any, ...]) -> T:
        run, limits = self._children.run, self._limits
        result: T | jobs.Turn = run(jobs.attempt_unless_large, job, data, limits, *arguments)
        return self._once_alone(job, data, arguments) if isinstance(result, jobs.Turn) else result

    def _once_alone(self, job: jobs.Job[T], data: bytes, arguments: tuple[Any, ...]) -> T:
        with self._alone:
            result: T = self._children.run(jobs.attempt, job, data, self._limits, *arguments)
            return result

    def _doubt_ourselves(self, error: PictureError) -> None:
        """After many in a row, blame pictures only as long as one that is good can be decoded."""
        log.warning("picture_not_decodable", code=error.code)
        self._blamed += 1
        if self._blamed < DOUBT:
            return
        try:
            self._children.run(jobs.probe)
        except (ChildDiedError, OutOfTimeError, TooMuchMemoryError) as failure:
            raise UnavailableError(
                "Pictures cannot be decoded at the moment: not even a good one can be. Look for "
                "a lack of memory or of processor time, then try again."
            ) from failure
        self._blamed = 0

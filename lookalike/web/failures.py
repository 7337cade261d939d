"""Pictures that could not be indexed, over HTTP: by reason, one by one, and another try."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from lookalike.services.failures import FailedPicture
from lookalike.services.filters import Text
from lookalike.web.api import Api
from lookalike.web.context import platform
from lookalike.web.schemas import Urls, urls_of

api = Api("failures")


class FailedQuery(BaseModel):
    """Which failures to list: of the live index or the one with the id `index`, with a code."""

    model_config = ConfigDict(extra="forbid")

    index: UUID | None = None
    code: Text | None = None
    limit: int = Field(default=50, ge=1, le=200)
    cursor: UUID | None = None


class RetryFailures(BaseModel):
    """What to try again: pictures that failed with a code, one picture, or without either all."""

    model_config = ConfigDict(extra="forbid", strict=True)

    code: Text | None = None
    # Not strict: JSON has no ids, only text.
    picture_id: UUID | None = Field(default=None, strict=False)


class CodeAnswer(BaseModel):
    """How many pictures failed with a code, and the message of one of them."""

    code: str
    pictures: int
    message: str


class FailedImage(BaseModel):
    """A picture that could not be indexed, and why."""

    picture_id: UUID
    library: str
    filename: str
    code: str
    message: str
    failed_at: datetime
    urls: Urls


class FailedAnswer(BaseModel):
    """All failures by code, most first, and a stretch of them; `next_cursor` continues it."""

    codes: list[CodeAnswer]
    failures: list[FailedImage]
    next_cursor: UUID | None


class RetriedAnswer(BaseModel):
    """How many pictures get another try."""

    pictures: int


@api.operation(
    "GET /failures",
    "Pictures that could not be indexed, by code and one by one",
    query=FailedQuery,
    answer=FailedAnswer,
)
def list_failures(query: FailedQuery) -> FailedAnswer:
    """List them, newest pictures first."""
    failures = platform().failures
    page = failures.list(query.code, query.limit, query.cursor, query.index)
    return FailedAnswer(
        codes=[
            CodeAnswer(code=one.code, pictures=one.pictures, message=one.message)
            for one in failures.by_code(query.index)
        ],
        failures=[_image(one) for one in page.failures],
        next_cursor=page.next_cursor,
    )


@api.operation(
    "POST /failures/retry",
    "Try to index failed pictures again",
    body=RetryFailures,
    answer=RetriedAnswer,
    status=202,
)
def retry_failures(body: RetryFailures) -> RetriedAnswer:
    """Make them pending again, in every index, and queue them behind single uploads."""
    return RetriedAnswer(pictures=platform().failures.retry(body.code, body.picture_id))


def _image(failed: FailedPicture) -> FailedImage:
    return FailedImage(
        picture_id=failed.picture_id,
        library=failed.library,
        filename=failed.filename,
        code=failed.code,
        message=failed.message,
        failed_at=failed.failed_at,
        urls=urls_of(failed.picture_id),
    )

"""A prefix of a bucket, read through the real adapter from an S3 server on loopback."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

import pytest

from lookalike.services.adapters.s3_blobs import S3Blobs
from lookalike.services.errors import AccessDeniedError, SourceError, UnavailableError
from lookalike.services.ports import Blob
from lookalike.services.sources.ports import Tools
from tests.servers.s3 import ACCESS_KEY, REGION, SECRET_KEY, S3Server
from tests.unit.sources.reading import GOOD, KIB, opened, outcome, outcomes


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with S3Server() as running:
        yield running


def tools(server: S3Server, *buckets: str) -> Tools:
    def bucket(url: str) -> S3Blobs:
        return S3Blobs(url, server.endpoint, REGION, ACCESS_KEY, SECRET_KEY)

    return Tools(None, None, bucket, buckets)  # type: ignore[arg-type] # not used


def test_pictures_below_the_prefix_are_read_in_order(server: S3Server):
    name = server.bucket()
    keys = ["in/b.jpg", "in/a/1.png", "in/a/readme.txt", "in/.hidden.jpg", "in/c.zip", "out/a.jpg"]
    for key in keys:
        server.client.put_object(Bucket=name, Key=key, Body=GOOD)
    server.client.put_object(Bucket=name, Key="in/large.jpg", Body=bytes(300 * KIB))
    source = opened("s3", url=f"s3://{name}/in", tools=tools(server, f"s3://{name}"))
    assert source.total() is None
    assert next(iter(source.items(3))).position == 3
    assert outcomes(source) == [
        ("a/1.png", GOOD),
        ("b.jpg", GOOD),
        ("c.zip", "nested_archive"),
        ("large.jpg", "too_large"),
    ]


def test_what_goes_after_it_was_listed_fails_alone(server: S3Server):
    name = server.bucket()
    for key in ["a.jpg", "b.jpg"]:
        server.client.put_object(Bucket=name, Key=key, Body=GOOD)
    source = opened("s3", url=f"s3://{name}", tools=tools(server, f"s3://{name}/"))
    reading = source.items()
    first = next(reading)
    server.client.delete_object(Bucket=name, Key="a.jpg")
    assert [outcome(first), *map(outcome, reading)] == ["blob_missing", GOOD]


@pytest.mark.parametrize(
    "url",
    ["s3://other", "s3://allowed-not", "s3://allowed/in/../..", "s3://allowed//in", "s3://allow"],
)
def test_only_allowed_buckets_are_read(server: S3Server, url: str):
    with pytest.raises(SourceError, match="LOOKALIKE_IMPORT_BUCKETS"):
        opened("s3", url=url, tools=tools(server, "s3://allowed"))


class Guarded:
    """A bucket that does not give out every file, as one with archived files; it may close."""

    def __init__(self) -> None:
        self.closed = False

    def list(self, prefix: str) -> Iterator[Blob]:
        """As `Bucket` promises."""
        self._answer()
        yield from (Blob(f"{name}.jpg", len(GOOD)) for name in "abc")

    def open(self, key: str) -> BinaryIO:
        """As `Bucket` promises."""
        self._answer()
        if key == "b.jpg":
            raise AccessDeniedError("No.")
        return io.BytesIO(GOOD)

    def _answer(self) -> None:
        if self.closed:
            raise AccessDeniedError("No bucket.")


def guarded(bucket: Guarded) -> Tools:
    return Tools(None, None, lambda _: bucket, ["s3://allowed"])  # type: ignore[arg-type]


def test_a_file_that_the_bucket_keeps_to_itself_fails_alone():
    source = opened("s3", url="s3://allowed", tools=guarded(Guarded()))
    assert [one for _, one in outcomes(source)] == [GOOD, "missing_file", GOOD]


def test_a_bucket_that_no_longer_answers_is_waited_for_and_blames_no_file():
    bucket = Guarded()
    source = opened("s3", url="s3://allowed", tools=guarded(bucket))
    reading = source.items()
    first = next(reading)
    bucket.closed = True
    with pytest.raises(UnavailableError, match="No bucket"):
        outcome(first)


def test_a_bucket_that_refuses_us_is_told_before_anything_starts():
    bucket = Guarded()
    bucket.closed = True
    with pytest.raises(SourceError, match="No bucket"):
        opened("s3", url="s3://allowed", tools=guarded(bucket))


def test_a_bucket_that_is_not_there_is_told_before_anything_starts(server: S3Server):
    with pytest.raises(SourceError, match="no bucket nowhere"):
        opened("s3", url="s3://nowhere", tools=tools(server, "s3://nowhere"))

"""Blobs in a bucket of Amazon S3 or of a server that speaks its protocol."""

from __future__ import annotations

import io
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast
from urllib.parse import urlsplit

import obstore
import structlog
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from lookalike.services.errors import (
    AccessDeniedError,
    BlobMissingError,
    ConfigurationError,
    UnavailableError,
)
from lookalike.services.ports import Blob

if TYPE_CHECKING:
    from obstore import GetResult
    from obstore.store import ClientConfig, RetryConfig, S3Config, S3Credential

log = structlog.get_logger(__name__)

MEMORY_BYTES = 8 * 1024 * 1024
"""Larger blobs are read through a temporary file: 16 web threads times 50 MiB would be a lot."""
PART_BYTES, PARTS_AT_ONCE = 5 * 1024 * 1024, 2
"""Larger files are sent in parts of this size, the smallest that S3 takes: 10 MiB of memory."""

TIMEOUTS: ClientConfig = {
    "connect_timeout": timedelta(seconds=2),
    # Until the next bytes come. The library counts sending too: two parts need 1.3 MB/s.
    "read_timeout": timedelta(seconds=8),
    "timeout": timedelta(seconds=60),
}
PLACE = re.compile(r"s3://([A-Za-z0-9][\w.-]{2,62})(?:/([\w-][\w./-]*?))?/*", re.ASCII)
ENDPOINT = re.compile(r"https?://([\w.-]+|\[[\da-fA-F:]+])(:\d{1,5})?/?", re.ASCII)
DENIED = re.compile("status code: 40[13]|InvalidAccessKeyId|SignatureDoesNotMatch")
RETRIES: RetryConfig = {
    "max_retries": 2,
    # Nothing is tried again later than this: a server that is down is told of in seconds.
    "retry_timeout": timedelta(seconds=4),
    "backoff": {
        "init_backoff": timedelta(milliseconds=100),
        "max_backoff": timedelta(seconds=1),
        "base": 2,
    },
}


class S3Blobs:
    """A BlobStore in the bucket and folder that `url` names (`s3://bucket` or `s3://bucket/folder`).

    The key must be allowed to read, write, delete and list: without the right to list, S3 answers
    "forbidden" where a file is missing. `setting` is the one that named the bucket, for people.
    """

    def __init__(
        self,
        url: str,
        endpoint: str,
        region: str,
        access_key: str,
        secret_key: str,
        setting: str = "LOOKALIKE_BLOB_URL",
    ) -> None:
        """Connect to nothing yet. Raises ConfigurationError for values that cannot be meant.

        `endpoint` is empty for Amazon's own servers. With keys, nothing else is asked or read for
        credentials. With none, Amazon's usual ways are gone through: the variables
        AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a Kubernetes service account's role, a
        container's role, the machine's role (from http://169.254.169.254).
        """
        self._bucket, self._folder = _place(url, setting)
        self._setting = setting
        self._client_options: ClientConfig = {**TIMEOUTS, **_route(endpoint)}
        self._config: S3Config = {
            "region": region,
            "skip_signature": False,
            "disable_bulk_delete": True,  # which not every server has
            **_server(endpoint),
        }
        self._credential = _credential(access_key, secret_key)
        self._store: S3Store | None = None

    def put(self, key: str, source: Path) -> None:
        """See BlobStore. Sent in bounded memory, each part with its hash, which S3 compares."""
        with self._translated():
            size = source.stat().st_size
            if self._size(key) is not None:
                return
            obstore.put(
                self._client(),
                key,
                source,
                chunk_size=PART_BYTES,
                max_concurrency=PARTS_AT_ONCE,
            )
            if self._size(key) == size:
                return
            # Left there, it would be taken for the whole file by the next `put`.
            obstore.delete(self._client(), key)
        raise UnavailableError(
            "The picture store kept only a part of the file. Try again; if it happens again, check "
            "the store's free space and its log."
        )

    def put_bytes(self, key: str, data: bytes) -> None:
        """See BlobStore."""
        with self._translated():
            obstore.put(self._client(), key, data, use_multipart=False)

    def open(self, key: str) -> BinaryIO:
        """See BlobStore. The whole blob has been read when this returns."""
        with self._translated():
            try:
                result = obstore.get(self._client(), key)
            except FileNotFoundError as error:
                self._check_bucket()
                raise BlobMissingError(
                    "The picture's file is missing from the store. Upload the picture again."
                ) from error
            return _copy(result)

    def exists(self, key: str) -> bool:
        """See BlobStore."""
        with self._translated():
            if self._size(key) is not None:
                return True
            self._check_bucket()
            return False

    def delete(self, key: str) -> None:
        """See BlobStore."""
        with self._translated():
            try:
                obstore.delete(self._client(), key)
            except FileNotFoundError:  # of the key, which some servers tell, or of the bucket
                self._check_bucket()

    def list(self, prefix: str) -> Iterator[Blob]:
        """See BlobStore. Asks for a thousand at a time."""
        with self._translated():
            for some in obstore.list(self._client(), prefix=prefix):
                for one in some:
                    yield Blob(one["path"], one["size"])

    def _size(self, key: str) -> int | None:
        try:
            return obstore.head(self._client(), key)["size"]
        except FileNotFoundError:
            return None

    def _check_bucket(self) -> None:
        """Ask for a list, the one request that a missing key and a missing bucket answer apart."""
        next(obstore.list(self._client(), prefix="none", chunk_size=1), None)

    def _client(self) -> S3Store:
        _refuse_after_fork()
        if self._store is None:  # by two threads at once: two clients, of which one is dropped
            self._store = S3Store(
                self._bucket,
                prefix=self._folder,
                config=self._config,
                client_options=self._client_options,
                retry_config=RETRIES,
                credential_provider=self._credential,
            )
        return self._store

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (BaseError, OSError) as error:
            log.warning("blob_store_failed", error=str(error).partition("\n")[0])
            raise self._translation(error) from error

    def _translation(self, error: Exception) -> UnavailableError:
        """What is wrong and what to check. A listing's error has its status in its text only."""
        text = str(error)
        if "NoSuchBucket" in text:
            return AccessDeniedError(f"There is no bucket {self._bucket}. Check {self._setting}.")
        if _is_denied(error):
            return AccessDeniedError(
                f"The bucket {self._bucket} refuses access. Check LOOKALIKE_S3_ACCESS_KEY, "
                "LOOKALIKE_S3_SECRET_KEY and what they may do."
            )
        return UnavailableError(_sentence(error))


def _is_denied(error: Exception) -> bool:
    known = isinstance(error, PermissionDeniedError | UnauthenticatedError)
    return (known or bool(DENIED.search(str(error)))) and "/latest/" not in str(error)


def _place(url: str, setting: str) -> tuple[str, str | None]:
    """The bucket and the folder in it, checked here because the library panics at odd ones."""
    match = PLACE.fullmatch(url)
    if not match:
        raise ConfigurationError(
            f"{setting} must look like s3://bucket or s3://bucket/folder, with letters, digits, "
            "dots and dashes."
        )
    return match[1], match[2] or None


def _server(endpoint: str) -> S3Config:
    """Where requests go, whatever AWS_ENDPOINT_URL and its like say."""
    if not endpoint:
        return {}
    if not ENDPOINT.fullmatch(endpoint):
        raise ConfigurationError(
            "LOOKALIKE_S3_ENDPOINT must look like http://host:9000 or https://host, and nothing "
            "after it."
        )
    return {"aws_endpoint_url_s3": endpoint}


def _route(endpoint: str) -> ClientConfig:
    """Straight to a server of one's own, past the proxy that HTTP_PROXY names for the internet."""
    if not endpoint:
        return {}
    return {
        "allow_http": endpoint.startswith("http:"),
        # The library has no switch for this: a proxy of one's own replaces those of the
        # environment, and an exception from it leaves none.
        "proxy_url": endpoint,
        "proxy_excludes": str(urlsplit(endpoint).hostname),
    }


def _credential(access_key: str, secret_key: str) -> Callable[[], S3Credential] | None:
    """Gives the keys. As a callable, because AWS_SESSION_TOKEN would be added to plain ones."""
    if not access_key and not secret_key:
        return None
    if not (access_key and secret_key):
        raise ConfigurationError(
            "LOOKALIKE_S3_ACCESS_KEY and LOOKALIKE_S3_SECRET_KEY belong together: set both or none."
        )
    return lambda: {
        "access_key_id": access_key,
        "secret_access_key": secret_key,
        "token": None,
        "expires_at": None,
    }


@cache
def _first_used_by() -> int:
    return os.getpid()


def _refuse_after_fork() -> None:
    """Raise UnavailableError in a process forked from one that has used the library.

    Its threads, which do the work, are not forked with it: any call there would wait for ever, with
    a client of its own too. A process forked before the first use is like any other.
    """
    if _first_used_by() != os.getpid():
        raise UnavailableError(
            "The picture store cannot be used in a process forked from one that has used it. "
            "Start the processes before the first request, or start them without fork."
        )


def _copy(result: GetResult) -> BinaryIO:
    """What was answered, on this machine, seekable."""
    if result.meta["size"] <= MEMORY_BYTES:
        return io.BytesIO(result.bytes().to_bytes())
    with ExitStack() as undo:
        file = undo.enter_context(cast(BinaryIO, tempfile.TemporaryFile()))  # noqa: SIM115 - kept open
        for chunk in result.stream(PART_BYTES):
            file.write(chunk)
        file.seek(0)
        undo.pop_all()
        return file


def _sentence(error: Exception) -> str:
    if "/latest/" in str(error):  # the last place to look for a key, the machine's role, has none
        return (
            "No key for the picture store was found. Set LOOKALIKE_S3_ACCESS_KEY and "
            "LOOKALIKE_S3_SECRET_KEY, or give this machine a role."
        )
    if isinstance(error, OSError) and error.strerror:  # none in those of the library
        return f"The picture's file cannot be read or copied here ({error.strerror})."
    return (
        "The picture store does not answer as it should. Check that it runs, and "
        "LOOKALIKE_S3_ENDPOINT and LOOKALIKE_S3_REGION."
    )

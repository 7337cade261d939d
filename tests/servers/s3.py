"""An S3 server on loopback: moto's, which keeps everything in memory."""

from __future__ import annotations

from itertools import count
from types import TracebackType
from typing import Any, Self

import boto3
from botocore.config import Config
from moto.server import ThreadedMotoServer

REGION, ACCESS_KEY, SECRET_KEY = "us-east-1", "test", "test-secret"


class S3Server:
    """Runs from the moment it is made until `stop`. Any key opens it.

    All servers of one process share their buckets: take a new `bucket` for each test.
    """

    _numbers = count()

    def __init__(self) -> None:
        self._server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        self._server.start()
        self.endpoint = "http://{}:{}".format(*self._server.get_host_and_port())
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=Config(proxies={}),
        )

    def bucket(self) -> str:
        """A new bucket's name."""
        name = f"bucket-{next(self._numbers)}"
        self.client.create_bucket(Bucket=name)
        return name

    def keys(self, bucket: str) -> list[str]:
        """Everything that the bucket holds, uploads that were not ended too (up to a thousand)."""
        objects = self.client.list_objects_v2(Bucket=bucket).get("Contents", [])
        uploads = self.client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
        return [one["Key"] for one in [*objects, *uploads]]

    def stop(self) -> None:
        """Answer no more; what was kept is not found again."""
        self._server.stop()
        self._server._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

"""What watches one fetch from the first connection to the last byte."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock, Timer
from types import TracebackType
from typing import Self

from AntiSSRF import AntiSSRFError
from requests import RequestException
from requests import Timeout as RequestTimeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as PoolTimeout

from lookalike.services.errors import (
    BlockedAddressError,
    DamagedEntryError,
    FetchFailedError,
    FetchTimeoutError,
    PictureError,
)

_BLOCKED = "The URL leads to an address that is not on the public internet."
_LATE = "The server took too long. Try again later."


class Guard:
    """Watches one fetch: which addresses it connects to, and that it ends in time.

    A server that sends a byte now and then is never late for a socket. So when the time is over,
    the connections are cut from another thread.
    """

    def __init__(self, admits: Callable[[str], bool], seconds: float) -> None:
        self._admits = admits
        self._sockets: list[socket.socket] = []
        self._lock = Lock()
        self._expired = False
        self._timer = Timer(seconds, self._expire)
        self._timer.daemon = True

    def check(self, host: str) -> None:
        """Refuse to connect to `host`, an address. Raises BlockedAddressError."""
        if not self._admits(host):
            raise BlockedAddressError(_BLOCKED)

    def watch(self, connected: socket.socket | None) -> None:
        """Cut this connection when the time is over."""
        with self._lock:
            if connected is not None:
                self._sockets.append(connected)
            if self._expired:
                self._cut()

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn what the libraries raise into errors of ours, and a cut into a timeout."""
        try:
            yield
            if self._expired:  # a body without a length ends there like any other
                raise FetchTimeoutError(_LATE)
        except DamagedEntryError as error:
            raise FetchFailedError("The server sent a damaged file. Try again later.") from error
        except PictureError:
            raise
        except AntiSSRFError as error:
            raise BlockedAddressError(_BLOCKED) from error
        except (RequestException, HTTPError, OSError, ValueError) as error:
            raise self._refusal(error) from error

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()

    def _refusal(self, error: Exception) -> PictureError:
        late = isinstance(error, RequestTimeout | PoolTimeout | TimeoutError)
        if late or self._expired:
            return FetchTimeoutError(_LATE)
        return FetchFailedError(
            "The server could not be reached, or did not send the whole file. Check the URL."
        )

    def _expire(self) -> None:
        with self._lock:
            self._expired = True
            self._cut()

    def _cut(self) -> None:
        for one in self._sockets:
            with suppress(OSError):
                # Not TLS's own: that would take its state away under the thread that reads.
                socket.socket.shutdown(one, socket.SHUT_RDWR)


def guarded_pools(guard: Guard) -> dict[str, type[HTTPConnectionPool]]:
    """Pools whose connections ask `guard`."""

    class Plain(HTTPConnection):
        def connect(self) -> None:
            guard.check(self.host)
            super().connect()
            guard.watch(self.sock)

    class Secure(HTTPSConnection):
        def connect(self) -> None:
            guard.check(self.host)
            super().connect()
            guard.watch(self.sock)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}

"""Fetching what URLs of strangers lead to, from the public internet alone.

`AntiSSRF` resolves each host once, refuses addresses that are not public, and connects to what it
has checked. Our own table has the last word on that address, in the moment of connecting.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Lock, Timer
from types import TracebackType
from typing import Self
from urllib.parse import urljoin

from AntiSSRF import AntiSSRFError, AntiSSRFPolicy, PolicyConfigOptions
from requests import RequestException, Response, Session
from requests import Timeout as RequestTimeout
from requests.adapters import HTTPAdapter
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
from lookalike.services.sources.addresses import admits
from lookalike.services.sources.copying import BLOCK, copy
from lookalike.services.sources.records import Sink, SourceLimits
from lookalike.services.sources.unpacking import gzip_or_zlib, ratio_too_high, unpacked
from lookalike.services.sources.urls import is_url

_HEADERS = {
    "User-Agent": "Lookalike",
    "Accept": "image/*, */*;q=0.5",
    "Accept-Encoding": "identity",
    "Connection": "close",
}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_BLOCKED = "The URL leads to an address that is not on the public internet."
_LATE = "The server took too long. Try again later."


class UrlFetcher:
    """A Fetcher. Proxies and passwords that the environment names are not used."""

    def __init__(self, limits: SourceLimits, networks: Sequence[str] = ()) -> None:
        """`networks` (`10.1.2.0/24`) may be fetched from besides the public internet."""
        self._limits = limits
        self._networks = list(networks)
        self._admits = admits(networks)

    def fetch(self, url: str, sink: Sink) -> None:
        """See Fetcher."""
        with _Guard(self._admits, self._limits.total_seconds) as guard:
            session = self._session(guard)
            try:
                blocks = self._body(session, url, guard)
                copy(blocks, sink, self._limits.max_bytes)
            finally:
                session.close()

    def _session(self, guard: _Guard) -> Session:
        policy = AntiSSRFPolicy(PolicyConfigOptions.EXTERNAL_ONLY_LATEST)
        policy.allow_plain_text_http = True
        policy.add_xff_header = False
        if self._networks:
            policy.add_allowed_addresses(self._networks)
        session: Session = policy.get_antissrf_session()
        session.trust_env = False
        session.headers.update(_HEADERS)
        for adapter in session.adapters.values():
            if isinstance(adapter, HTTPAdapter):
                adapter.poolmanager.pool_classes_by_scheme = _guarded_pools(guard)
        return session

    def _body(self, session: Session, url: str, guard: _Guard) -> Iterator[bytes]:
        with guard.translated(), self._follow(session, url) as response:
            if response.status_code != 200:
                raise FetchFailedError(
                    f"The server answered with status {response.status_code}. Open the URL in a "
                    "browser to see why.",
                    status=response.status_code,
                )
            yield from self._decoded(response)

    def _follow(self, session: Session, url: str) -> Response:
        """The first answer that is no redirect; each URL on the way is checked like the first."""
        seconds = (self._limits.connect_seconds, self._limits.read_seconds)
        for _ in range(self._limits.max_redirects + 1):
            response = session.get(url, stream=True, allow_redirects=False, timeout=seconds)
            target = session.get_redirect_target(response)
            if response.status_code not in _REDIRECTS or target is None:
                return response
            response.close()
            session.close()  # its connections: servers end them without a word
            url = urljoin(url, target)
            if not is_url(url):
                raise FetchFailedError("The server redirects to something that is not of the web.")
        raise FetchFailedError(
            f"The server redirects more than {self._limits.max_redirects} times. Use the URL where "
            "it ends."
        )

    def _decoded(self, response: Response) -> Iterator[bytes]:
        """The body; compressed where a server does that unasked, as far as pictures go."""
        packed = _Counted(response)
        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        if encoding in {"", "identity"}:
            yield from packed
            return
        if encoding not in {"gzip", "x-gzip", "deflate"}:
            raise FetchFailedError("The server compressed the file in a way nobody asked for.")
        made = 0
        for block in unpacked(packed, gzip_or_zlib):
            made += len(block)
            if made > self._limits.max_ratio * packed.size:
                raise ratio_too_high()
            yield block


class _Counted:
    """The body as it came, counted."""

    def __init__(self, response: Response) -> None:
        self._response = response
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        while block := self._response.raw.read(BLOCK, decode_content=False):
            self.size += len(block)
            yield block


class _Guard:
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


def _guarded_pools(guard: _Guard) -> dict[str, type[HTTPConnectionPool]]:
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

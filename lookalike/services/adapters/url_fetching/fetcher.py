"""Fetching what URLs of strangers lead to, from the public internet alone.

`AntiSSRF` resolves each host once, refuses addresses that are not public, and connects to what it
has checked. Our own table has the last word on that address, in the moment of connecting.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import urljoin

from AntiSSRF import AntiSSRFPolicy, PolicyConfigOptions
from requests import Response, Session
from requests.adapters import HTTPAdapter

from lookalike.services.adapters.url_fetching.guard import Guard, guarded_pools
from lookalike.services.errors import FetchFailedError
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


class UrlFetcher:
    """A Fetcher. Proxies and passwords that the environment names are not used."""

    def __init__(self, limits: SourceLimits, networks: Sequence[str] = ()) -> None:
        """`networks` (`10.1.2.0/24`) may be fetched from besides the public internet."""
        self._limits = limits
        self._networks = list(networks)
        self._admits = admits(networks)

    def fetch(self, url: str, sink: Sink) -> None:
        """See Fetcher."""
        with Guard(self._admits, self._limits.total_seconds) as guard:
            session = self._session(guard)
            try:
                blocks = self._body(session, url, guard)
                copy(blocks, sink, self._limits.max_bytes)
            finally:
                session.close()

    def _session(self, guard: Guard) -> Session:
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
                adapter.poolmanager.pool_classes_by_scheme = guarded_pools(guard)
        return session

    def _body(self, session: Session, url: str, guard: Guard) -> Iterator[bytes]:
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

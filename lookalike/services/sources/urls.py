"""URLs that strangers gave: which are tried at all, how they are shown, and lists of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import BinaryIO
from urllib.parse import urlsplit

from lookalike.services.errors import BadRowError
from lookalike.services.labels import Labels
from lookalike.services.sources.names import shown
from lookalike.services.sources.ports import Fetcher
from lookalike.services.sources.records import Found, Item, Refused
from lookalike.services.sources.text_lines import Encoding, Line, TextLines

MAX_URL = 2000


def is_url(text: str) -> bool:
    """Whether the text means a URL rather than a path."""
    return text.lower().startswith(("http://", "https://"))


def check_url(url: str) -> None:
    """Refuse what is no URL of the web. Raises BadRowError."""
    if not is_url(url) or len(url) > MAX_URL or not _has_host(url):
        raise BadRowError("This is not a URL. It must begin with http:// or https://.")
    if not url.isprintable() or " " in url:
        raise BadRowError("The URL holds blanks or characters that cannot be seen.")


def shown_url(url: str) -> str:
    """The URL as people may see it: without a password, or what is for browsers alone."""
    scheme, _, rest = url.partition("#")[0].partition("://")
    host, slash, path = rest.partition("/")
    return shown(f"{scheme}://{host.rpartition('@')[2]}{slash}{path}")


class UrlListSource:
    """A text with a URL a line. Blank lines and those that begin with `#` are passed over."""

    def __init__(self, file: BinaryIO, encoding: Encoding, fetcher: Fetcher) -> None:
        """Take over `file`."""
        self._file = file
        self._encoding: Encoding = encoding
        self._fetcher = fetcher

    def items(self, start: int = 0) -> Iterator[Item]:
        """See Source."""
        for position, line in islice(enumerate(self._lines()), start, None):
            yield self._item(position, line)

    def total(self) -> int:
        """See Source."""
        return sum(1 for _ in self._lines())

    def close(self) -> None:
        """See Source."""
        self._file.close()

    def _lines(self) -> Iterator[Line]:
        for line in TextLines(self._file, self._encoding, 2 * MAX_URL):
            if line.problem or (line.text.strip() and not line.text.lstrip().startswith("#")):
                yield line

    def _item(self, position: int, line: Line) -> Item:
        url = line.text.strip()
        try:
            if line.problem:
                raise BadRowError(line.problem)
            check_url(url)
        except BadRowError as error:
            name = f"line {line.number}"
            return Refused(position, name, BadRowError(error.message, line=line.number))
        read = partial(self._fetcher.fetch, url)
        return Found(position, shown_url(url), Labels(), read, apart=True)


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False

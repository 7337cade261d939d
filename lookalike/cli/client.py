"""A client of the API, the one way in which commands reach the platform.

It speaks to a running server, or to the very same WSGI app inside this process, so that every
command behaves alike in both cases.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import httpx

from lookalike.services.errors import InvalidRequestError, LookalikeError, UnavailableError
from lookalike.web.owner import HEADER

FAILURES_AT_ONCE = 1000
TIMEOUT = httpx.Timeout(120, connect=5)


class ApiError(LookalikeError):
    """The API refused; code and message are its own."""

    def __init__(self, code: str, message: str, details: dict[str, Any]) -> None:
        super().__init__(message, **details)
        self.code = code


class Client:
    """Calls the API and hands back its JSON. Raises ApiError, UnavailableError.

    With the `token` of whoever owns the server's data folder, the server reads files of this
    machine by itself.
    """

    def __init__(self, http: httpx.Client, token: str = "") -> None:
        self._http = http
        self._http.headers.update({HEADER: token} if token else {})
        self.is_owner = bool(token)

    def search(self, picture: Path, query: dict[str, Any]) -> Any:
        """Search by a picture file; see `POST /search`."""
        with picture.open("rb") as file:
            return self._call(
                "POST",
                "/search",
                files={"image": (picture.name, file)},
                data={"query": json.dumps(query)},
            )

    def start_import(self, wanted: dict[str, Any], file: Path | None = None) -> Any:
        """Start an import, from `file` if one is given; see `POST /imports`."""
        if file is None:
            return self._call("POST", "/imports", json=wanted)
        with file.open("rb") as opened:
            parts = {"file": (file.name, opened)}
            return self._call("POST", "/imports", files=parts, data=wanted, timeout=None)

    def send_files(
        self,
        import_id: str,
        position: int,
        items: Sequence[dict[str, str]],
        files: Sequence[BinaryIO],
    ) -> dict[str, Any]:
        """Send files of an import; see `POST /imports/{id}/images`."""
        fields = {"position": str(position), "items": json.dumps(items)}
        parts = [("file", ("file", file)) for file in files]
        path = f"/imports/{quote(import_id, safe='')}/images"
        sent: dict[str, Any] = self._call("POST", path, files=parts or None, data=fields)
        return sent

    def imports(self, limit: int) -> list[dict[str, Any]]:
        """The newest imports."""
        found: list[dict[str, Any]] = self._call("GET", "/imports", params={"limit": limit})[
            "imports"
        ]
        return found

    def get_import(self, import_id: str) -> dict[str, Any]:
        """One import."""
        found: dict[str, Any] = self._call("GET", f"/imports/{quote(import_id, safe='')}")
        return found

    def import_failures(self, import_id: str, limit: int, cursor: int = 0) -> Any:
        """Failures of an import from a position on, and how many there are by code."""
        path = f"/imports/{quote(import_id, safe='')}/failures"
        return self._call("GET", path, params={"limit": limit, "cursor": cursor})

    def all_import_failures(self, import_id: str) -> Iterator[dict[str, Any]]:
        """Every failure of an import, in the order of its items."""
        cursor: int | None = 0
        while cursor is not None:
            page = self.import_failures(import_id, FAILURES_AT_ONCE, cursor)
            yield from page["failures"]
            cursor = page["next_cursor"]

    def copy_import_failures(self, import_id: str, to: BinaryIO) -> None:
        """Write every failure of an import as CSV."""
        path = f"/imports/{quote(import_id, safe='')}/failures"
        with self._answering():
            answer = self._http.get(f"/api/v1{path}", params={"format": "csv"})
        if not answer.is_success:
            _answer(answer)
        to.write(answer.content)

    def steer_import(self, import_id: str, action: str, body: dict[str, Any] | None = None) -> Any:
        """Pause, resume, cancel, retry, undo or perform an import."""
        path = f"/imports/{quote(import_id, safe='')}/{action}"
        return self._call("POST", path, json=body)

    def indexes(self) -> list[dict[str, Any]]:
        """Every index that there is or was, newest first."""
        found: list[dict[str, Any]] = self._call("GET", "/indexes")["indexes"]
        return found

    def get_index(self, index_id: str) -> dict[str, Any]:
        """One index."""
        found: dict[str, Any] = self._call("GET", f"/indexes/{quote(index_id, safe='')}")
        return found

    def start_index(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Begin to build an index; see `POST /indexes`."""
        begun: dict[str, Any] = self._call("POST", "/indexes", json=wanted)
        return begun

    def steer_index(
        self, index_id: str, action: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Activate, pause, resume, measure or retire an index."""
        path = f"/indexes/{quote(index_id, safe='')}"
        if action == "retire":
            return dict(self._call("DELETE", path))
        return dict(self._call("POST", f"{path}/{action}", json=body))

    def failures(self, code: str | None, limit: int) -> Any:
        """Pictures that could not be indexed, by code and one by one; see `GET /failures`."""
        params = {"limit": limit} | ({"code": code} if code else {})
        return self._call("GET", "/failures", params=params)

    def retry_failures(self, code: str | None) -> int:
        """Have failed pictures tried again; how many."""
        return int(self._call("POST", "/failures/retry", json={"code": code})["pictures"])

    def resources(self) -> Any:
        """See `GET /resources`."""
        return self._call("GET", "/resources")

    def create_library(self, name: str) -> Any:
        """Make a library, or find it made."""
        return self._call("POST", "/libraries", json={"name": name})

    def status(self) -> Any:
        """See `GET /status`."""
        return self._call("GET", "/status")

    def recall(self, hours: int) -> Any:
        """See `GET /recall`."""
        return self._call("GET", "/recall", params={"hours": hours})

    def check(self, asked: dict[str, Any]) -> Any:
        """Compare SQL, files and vectors, for as long as it takes; see `POST /check`."""
        return self._call("POST", "/check", json=asked, timeout=None)

    def _call(self, method: str, path: str, **request: Any) -> Any:
        with self._answering():
            response = self._http.request(method, f"/api/v1{path}", **request)
        return _answer(response)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except httpx.InvalidURL as error:
            raise InvalidRequestError(f"This is not a URL: {error}.") from error
        except httpx.HTTPError as error:
            raise UnavailableError(
                f"No answer from {self._http.base_url} ({error}). Is `lookalike up` running?"
            ) from error


def _answer(response: httpx.Response) -> Any:
    try:
        body = response.json()
    except ValueError as error:
        raise UnavailableError(
            f"{response.url} does not answer like Lookalike (HTTP {response.status_code}). "
            "Check --url."
        ) from error
    if response.is_success:
        return body
    refusal = body["error"]
    raise ApiError(refusal["code"], refusal["message"], refusal["details"])

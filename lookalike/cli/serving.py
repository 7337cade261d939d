"""The HTTP server of `lookalike up`: waitress, told how large bodies may be and where they wait."""

from __future__ import annotations

import sys
from tempfile import TemporaryFile

from flask import Flask
from waitress.buffers import FileBasedBuffer
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import BaseWSGIServer, create_server

from lookalike.services.errors import ConfigurationError, LookalikeError
from lookalike.services.settings import Settings
from lookalike.web.bodies import Head, most_bytes, refusal, too_large
from lookalike.web.errors import body_of, status_of
from lookalike.web.schemas import ErrorAnswer

COPIES = 2
"""waitress has the whole body in a file of its own before the app gets it."""


def listen(settings: Settings, web: Flask) -> BaseWSGIServer:
    """A server of the app, which listens. Raises ConfigurationError."""
    host = "127.0.0.1" if settings.host == "localhost" else settings.host
    # A class, as that is the one way in; a process serves one platform.
    HTTPChannel.parser_class = parser_for(settings)
    try:
        server: BaseWSGIServer = create_server(
            web,
            host=host,
            port=settings.port,
            threads=settings.web_threads,
            ident=None,
            max_request_body_size=sys.maxsize,  # the parser sees to it, with an answer of ours
        )
    except OSError as error:
        raise ConfigurationError(
            f"Cannot listen on {settings.host} port {settings.port} ({error.strerror}). "
            "Choose another with --port."
        ) from error
    return server


def parser_for(settings: Settings) -> type[HTTPRequestParser]:
    """The parser of requests to a platform with these settings."""

    class Parser(HTTPRequestParser):  # type: ignore[misc]  # waitress has no types
        """Receives no body that the app would refuse by its head, and not more than it would."""

        head: Head | None = None

        def received(self, data: bytes) -> int:
            """See HTTPRequestParser."""
            consumed: int = super().received(data)
            if self.headers_finished and self.head is None and not self.error:
                self._look()
            elif self.head and self.body_bytes_received > most_bytes(self.head, settings):
                self._refuse(too_large(self.head, settings))
            return consumed

        def _look(self) -> None:
            kind = self.headers.get("CONTENT_TYPE", "")
            self.head = Head(self.command.upper(), self.path, kind, self.content_length or None)
            if error := refusal(self.head, settings, COPIES):
                self._refuse(error)
            elif self.head.brings_import and self.body_rcv is not None:
                # In the data folder: the one for temporary files may be memory.
                file = TemporaryFile(dir=settings.data_dir / "staging")  # noqa: SIM115  closed with it
                self.body_rcv.buf = FileBasedBuffer(file)

        def _refuse(self, error: LookalikeError) -> None:
            self.error, self.completed, self.expect_continue = _Refusal(error), True, False

    return Parser


class _Refusal:
    """An error of ours, in the shape that the API has, as waitress takes errors."""

    def __init__(self, error: LookalikeError) -> None:
        self._error = error

    def to_response(self, _ident: str | None) -> tuple[str, list[tuple[str, str]], bytes]:
        """Status line, headers and body."""
        status = status_of(self._error.code)
        body = ErrorAnswer(error=body_of(self._error)).model_dump_json().encode()
        return f"{status.value} {status.phrase}", [("Content-Type", "application/json")], body

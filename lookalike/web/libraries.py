"""Libraries over HTTP."""

from __future__ import annotations

from lookalike.services.libraries import LibraryRecord
from lookalike.web.api import Api
from lookalike.web.context import platform
from lookalike.web.schemas import LibrariesAnswer, LibraryAnswer, NewLibrary

api = Api("libraries")


@api.operation(
    "POST /libraries", "Make a library", body=NewLibrary, answer=LibraryAnswer, status=201
)
def create_library(body: NewLibrary) -> LibraryAnswer:
    """Make a library; one that exists is answered as it is."""
    return _answer(platform().libraries.create(body.name))


@api.operation("GET /libraries", "List all libraries", answer=LibrariesAnswer)
def list_libraries() -> LibrariesAnswer:
    """List all libraries."""
    return LibrariesAnswer(libraries=[_answer(one) for one in platform().libraries.list()])


def _answer(record: LibraryRecord) -> LibraryAnswer:
    return LibraryAnswer(name=record.name, images=record.images, added_at=record.added_at)

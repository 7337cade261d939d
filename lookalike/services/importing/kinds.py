"""What kind of import a file is for, told by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lookalike.services.errors import SourceError
from lookalike.services.sources.names import shown

FILES = "files"
"""Not read from anywhere: the files are sent, batch after batch, by whoever started the import."""

KINDS_BY_ENDING: Mapping[str, tuple[str, Mapping[str, str]]] = {
    ".zip": ("zip", {}),
    ".tar": ("tar", {}),
    ".tar.gz": ("tar", {}),
    ".tgz": ("tar", {}),
    ".tar.bz2": ("tar", {}),
    ".tbz2": ("tar", {}),
    ".tar.xz": ("tar", {}),
    ".txz": ("tar", {}),
    ".csv": ("manifest", {"format": "csv"}),
    ".jsonl": ("manifest", {"format": "jsonl"}),
    ".ndjson": ("manifest", {"format": "jsonl"}),
    ".parquet": ("manifest", {"format": "parquet"}),
    ".txt": ("urls", {}),
}
"""Kind and options of a source, by how the file's name ends."""


def is_source(name: str) -> bool:
    """Whether a file of this name is something to import from, rather than a picture."""
    return name.startswith("s3://") or _told(name) is not None


def kind_of(name: str) -> str | None:
    """The kind that a file's name tells, None where it does not."""
    told = _told(name)
    return told[0] if told else None


def file_options(name: str, kind: str = "") -> tuple[str, dict[str, Any]]:
    """Kind and options for an uploaded file; a `kind` that is given wins over its name.

    Raises SourceError where neither tells.
    """
    told = _told(name)
    if told is not None and kind in {"", told[0]}:
        return told[0], dict(told[1])
    if kind:
        return kind, {}
    raise SourceError(
        "The file's name does not tell what it is. It should end with one of "
        f"{', '.join(KINDS_BY_ENDING)}, or say the kind.",
    )


def name_of(kind: str, source: Mapping[str, Any]) -> str:
    """What people see an import as: the path or address it comes from."""
    place = source.get("url") or source.get("path")
    return shown(place) if isinstance(place, str) and place else kind


def _told(name: str) -> tuple[str, Mapping[str, str]] | None:
    lower = name.lower()
    endings = (ending for ending in KINDS_BY_ENDING if lower.endswith(ending))
    longest = max(endings, key=len, default=None)
    return KINDS_BY_ENDING[longest] if longest else None

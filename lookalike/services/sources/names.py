"""Names that strangers gave to files: which are refused, and how the others are shown."""

from __future__ import annotations

import re
import unicodedata
from posixpath import splitext

from lookalike.services.errors import NestedArchiveError, UnsafeNameError

MAX_NAME = 1000
MAX_PART = 255
"""Longest name of one file or folder that common file systems keep."""

PICTURES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".gif", ".tif", ".tiff"}
    | {".bmp", ".dib", ".heic", ".heif", ".hif"}
)
ARCHIVES = frozenset(
    {".zip", ".tar", ".tgz", ".tbz", ".tbz2", ".txz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar"}
)
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Turn the direction of what follows, so that `gpj.exe` reads `exe.jpg`. Letters of languages that
are written from the right need none of these."""
_DRIVE = re.compile(r"[A-Za-z]:")


def shown(name: str) -> str:
    """The name as people may see it: what does not print is left out, bad bytes become `?`."""
    letters = name[: 2 * MAX_NAME].encode("utf-8", "replace").decode("utf-8")
    return "".join(map(_printed, letters))[:MAX_NAME].strip() or "unnamed"


def check_name(name: str) -> None:
    """Refuse a name of an archive's entry. Raises UnsafeNameError that says why."""
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or _DRIVE.match(name):
        raise UnsafeNameError("The name is an absolute path. Pack the files with relative names.")
    if ".." in parts:
        raise UnsafeNameError("The name leads out of the archive (`..`). Pack the files again.")
    if any(unicodedata.category(letter) == "Cc" for letter in name) or _TURNS.search(name):
        raise UnsafeNameError(
            "The name holds characters that cannot be seen but change it. Rename the file."
        )
    if len(name) > MAX_NAME or any(
        len(part.encode("utf-8", "replace")) > MAX_PART for part in parts
    ):
        raise UnsafeNameError(f"The name is longer than {MAX_PART} bytes. Rename the file.")
    if not parts[-1].strip(". "):
        raise UnsafeNameError("The entry has no name. Pack the files again.")


def nested_archive() -> NestedArchiveError:
    """The refusal of an archive among the files."""
    return NestedArchiveError(
        "An archive inside is not opened. Unpack it and import what is in it."
    )


def is_picture(name: str) -> bool:
    """Whether the name ends like a picture's."""
    return _suffix(name) in PICTURES


def is_archive(name: str) -> bool:
    """Whether the name ends like an archive's."""
    return _suffix(name) in ARCHIVES


def is_taken(name: str, *, all_files: bool) -> bool:
    """Whether a file of this name becomes an item: pictures, and archives to say no to.

    With `all_files` every name does that is not hidden.
    """
    return not is_hidden(name) and (all_files or _suffix(name) in PICTURES | ARCHIVES)


def is_hidden(name: str) -> bool:
    """Whether a part begins with a dot, or it is what macOS adds to archives."""
    parts = name.replace("\\", "/").split("/")
    return parts[0] == "__MACOSX" or any(part.startswith(".") and part.strip(".") for part in parts)


def _suffix(name: str) -> str:
    # Not pathlib, which keeps every part it has seen.
    return splitext(name.replace("\\", "/"))[1].lower()


def _printed(letter: str) -> str:
    """Nothing for what has no look of its own, a blank for what separates words or lines."""
    kind = unicodedata.category(letter)[0]
    return {"C": "", "Z": " "}.get(kind, letter)

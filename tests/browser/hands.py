"""What people do with their hands: drop, paste and pick files."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page


@dataclass(frozen=True, slots=True)
class Picked:
    """A file on this machine."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name


def pick(page: Page, button: str, paths: Sequence[Path] | Path) -> None:
    """Press the button and choose these files, or this folder, in the chooser that opens."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name=button).click()
    chooser.value.set_files(paths)


def hover_files(page: Page, paths: Sequence[Path]) -> None:
    """Drag files or folders from outside the browser over the page, and hold them there."""
    for kind in ("dragEnter", "dragOver"):
        _drag(page, kind, paths)


def drop(page: Page, paths: Sequence[Path]) -> None:
    """Drop files or folders from outside the browser on the page."""
    hover_files(page, paths)
    _drag(page, "drop", paths)


def _drag(page: Page, kind: str, paths: Sequence[Path]) -> None:
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    session.send("Input.dispatchDragEvent", {"type": kind, "x": 200, "y": 300, "data": data})
    session.detach()


def paste_picture(page: Page, png: bytes) -> None:
    """Put a picture on the clipboard and press the keys that paste it."""
    page.evaluate(
        """async (text) => {
            const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
            const blob = new Blob([bytes], { type: "image/png" });
            await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
        }""",
        base64.b64encode(png).decode(),
    )
    page.keyboard.press("Control+V")

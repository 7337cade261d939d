"""Chromium on a real `lookalike up` with generated pictures.

Every page is watched: an error on its console, a script's exception or a breach of the content
policy fails the test that opened it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    expect,
    sync_playwright,
)

from tests.browser.hands import Picked
from tests.factories import picture
from tests.program import Server

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
HERE = Path(__file__).parent
PICTURES = 48
SHAPES = {"landscape": (320, 240), "portrait": (240, 320), "square": (256, 256)}
WIDE = {"width": 1280, "height": 900}
PATIENCE = 60_000  # milliseconds; the machine may be busy with other tests
NARROW = {"width": 360, "height": 740}


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep these tests in one worker, where they share a server, and skip them without Chromium."""
    for item in items:
        if HERE not in item.path.parents:
            continue
        item.add_marker(pytest.mark.xdist_group("browser"))
        if not CHROMIUM.exists():
            item.add_marker(pytest.mark.skip(reason=f"{CHROMIUM} is not installed"))


@dataclass
class Watch:
    """What went wrong on pages; `allow` names parts of messages that a test brings about itself."""

    messages: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)

    def on(self, page: Page) -> Page:
        """Watch this page from now on."""
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.messages.append(f"exception: {error}"))
        return page

    def allow(self, part: str) -> None:
        """Expect messages that hold `part`."""
        self.allowed.append(part)

    @property
    def troubles(self) -> list[str]:
        """Messages that nobody expected."""
        return [one for one in self.messages if not any(part in one for part in self.allowed)]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.messages.append(f"{message.type}: {message.text}")


class Chromium:
    """The browser of all tests. Should it crash, which is no fault of a page, a new one starts."""

    MOST_STARTS = 4

    def __init__(self, playwright: Playwright) -> None:
        self._playwright = playwright
        self._starts = 0
        self._browser = self._start()

    def window(self, **settings: Any) -> BrowserContext:
        """A window of its own, with no memory of others."""
        if not self._browser.is_connected():
            self._browser = self._start()
        return self._browser.new_context(**settings)

    def close(self) -> None:
        """End it."""
        self._browser.close()

    def _start(self) -> Browser:
        self._starts += 1
        assert self._starts <= self.MOST_STARTS, "Chromium keeps crashing"
        return self._playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)


@pytest.fixture(scope="session")
def browser() -> Iterator[Chromium]:
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        started = Chromium(playwright)
        yield started
        started.close()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A server with pictures that no test changes: 48 in `main`, 4 in `attic`.

    Tests that bring in pictures of their own put them in `bin` or in a library of their own.
    """
    with tempfile.TemporaryDirectory() as folder:
        running = Server(Path(folder) / "data")
        fill(running)
        yield running
        running.stop()
        running.http.close()


@pytest.fixture
def empty_server(tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path / "data")
    yield running
    running.stop()
    running.http.close()


def fill(server: Server) -> None:
    for number in range(PICTURES):
        server.upload({name_of(number): bytes_of(number)}, **labels_of(number))
    for name in ("attic", "bin"):
        server.http.post("/libraries", json={"name": name}).raise_for_status()
    for number in range(100, 104):
        server.upload({f"attic-{number}.jpg": picture(number)}, library="attic")
    server.settle()


def name_of(number: int) -> str:
    return f"scene-{number:02}.{'png' if number % 4 == 0 else 'jpg'}"


def bytes_of(number: int) -> bytes:
    size = list(SHAPES.values())[number % 3]
    return picture(number, size, "PNG" if number % 4 == 0 else "JPEG")


def labels_of(number: int) -> dict[str, str]:
    tags = ["even" if number % 2 == 0 else "odd", *(["third"] if number % 3 == 0 else [])]
    maker = "north" if number < 24 else "south"
    attributes = f'{{"number": {number}, "maker": "{maker}"}}'
    return {"tags": ",".join(tags), "attributes": attributes, "title": f"Scene {number}"}


@pytest.fixture
def ids(server: Server) -> dict[str, str]:
    """The id of each picture of `main` by its title."""
    listed = server.http.get("/images", params={"library": "main", "limit": 500}).json()["images"]
    return {image["title"]: image["id"] for image in listed}


@pytest.fixture
def watch() -> Iterator[Watch]:
    eyes = Watch()
    yield eyes
    assert eyes.troubles == []


@pytest.fixture
def open_page(browser: Chromium, watch: Watch) -> Iterator[Callable[..., Page]]:
    """Open a page in a window of its own; `options` are those of the browser's context."""
    contexts: list[BrowserContext] = []

    def opened(address: str, **options: Any) -> Page:
        settings = {"viewport": WIDE, "locale": "en-GB", "timezone_id": "Asia/Tokyo"} | options
        contexts.append(browser.window(**settings))
        contexts[-1].grant_permissions(["clipboard-read", "clipboard-write"])
        contexts[-1].set_default_timeout(PATIENCE)
        page = watch.on(contexts[-1].new_page())
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def lookalike(tmp_path: Path) -> Callable[[int], Picked]:
    """A file that looks like the stored picture `number` but has other bytes."""

    def made(number: int) -> Picked:
        size = list(SHAPES.values())[number % 3]
        path = tmp_path / f"query-{number}.jpg"
        path.write_bytes(picture(number, size, quality=55))
        return Picked(path)

    return made

"""The pages of imports: started by hand, watched live, steered, and what failed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NARROW, Watch
from tests.hostile import member, tar_of
from tests.platforms import small
from tests.program import Server
from tests.unit.test_imports import BAD, scenes, zipped

Open = Callable[..., Page]
NASTY = "<b onclick=alert(1)>x<b>.jpg"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """12 pictures and 4 that cannot be read."""
    path = tmp_path / "trip.zip"
    path.write_bytes(zipped(scenes(8000, 12) | BAD | {NASTY: b"no picture"}))
    return path


@pytest.fixture
def library(server: Server, request: pytest.FixtureRequest) -> str:
    """A library that nobody else counts on."""
    name = re.sub(r"\W", "-", request.node.name)[:60]
    server.http.post("/libraries", json={"name": name}).raise_for_status()
    return name


def begin(server: Server, open_page: Open, archive: Path, library: str, go: str, **options) -> Page:
    """Start an import by hand; its page."""
    page = open_page(f"{server.url}/imports", **options)
    page.get_by_label("Choose an archive").set_input_files(archive)
    page.get_by_label("Library").fill(library)
    page.get_by_role("button", name=go, exact=True).click()
    page.wait_for_url(re.compile(r"/imports/[0-9a-f-]{36}$"))
    return page


def figure(page: Page, name: str) -> str:
    return page.locator("#figures > div", has_text=name).locator("dd").first.inner_text()


def test_an_archive_is_rehearsed_imported_and_undone_by_hand(
    server: Server, open_page: Open, archive: Path, library: str
) -> None:
    page = begin(server, open_page, archive, library, "Rehearse first")
    state = page.locator("#state")
    expect(state).to_have_text("Rehearsed")
    expect(page.locator("#rehearsal-text")).to_contain_text("12 new pictures")
    page.get_by_role("button", name="Import for real").click()
    expect(state).to_have_text("Finished")
    assert [figure(page, name) for name in ("Searchable", "New", "Failed")] == [
        "12 of 16",
        "12",
        "4",
    ]
    page.get_by_role("button", name="Undo", exact=True).click()
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(state).to_have_text("Finished")
    page.get_by_role("button", name="Undo", exact=True).click()
    page.get_by_role("button", name="Undo the import").click()
    expect(state).to_have_text("Undone")
    assert figure(page, "Removed again") == "13"
    listed = server.http.get("/images", params={"library": library}).json()
    assert listed["images"] == []


def test_a_rehearsal_of_files_from_a_terminal_offers_nothing_that_cannot_be_done(
    server: Server, open_page: Open, library: str
) -> None:
    source = {"files": 1, "fingerprint": "a" * 64}
    wanted = {"kind": "files", "source": source, "library": library, "dry_run": True}
    begun = server.http.post("/imports", json=wanted).raise_for_status().json()
    page = open_page(f"{server.url}/imports/{begun['id']}")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    fields = {"position": "0", "items": '[{"name": "a.jpg"}]'}
    sent = [("file", ("a.jpg", small(8100)))]
    server.http.post(f"/imports/{begun['id']}/images", data=fields, files=sent).raise_for_status()
    expect(page.locator("#state")).to_have_text("Rehearsed")
    expect(page.locator("#rehearsal-text")).to_contain_text("1 new picture")
    expect(page.locator("#actions button")).to_have_count(0)


def test_failures_are_shown_by_reason_downloaded_and_tried_again(
    server: Server, open_page: Open, archive: Path, library: str
) -> None:
    page = begin(server, open_page, archive, library, "Import")
    expect(page.locator("#state")).to_have_text("Finished")
    rows = page.locator("#rows tr")
    expect(rows).to_have_count(4)
    expect(page.get_by_role("cell", name=NASTY, exact=True)).to_be_visible()
    page.locator("#codes label", has_text="not an image").click()
    expect(rows).to_have_count(2)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV").click()
    assert len(download.value.path().read_text().splitlines()) == 5
    page.get_by_role("button", name="Try text.jpg again").click()
    expect(page.locator("#state")).to_have_text("Finished")
    expect(rows).to_have_count(2)
    assert page.locator("main script, td b").count() == 0


def test_progress_comes_by_itself_and_pausing_holds_it(
    server: Server, open_page: Open, tmp_path: Path, library: str
) -> None:
    path = tmp_path / "many.zip"
    path.write_bytes(zipped(scenes(20_000, 1500)))
    page = begin(server, open_page, path, library, "Import")
    expect(page.locator("#state")).to_have_text("Importing")
    expect(page.locator("#left")).to_contain_text("about")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#state")).to_have_text("Paused")
    expect(page.locator("#left")).to_be_empty()
    overview = open_page(f"{server.url}/imports")
    expect(overview.locator(".import", has_text="many.zip")).to_contain_text("Paused")
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(page.locator("#state")).to_have_text("Cancelled")


def test_what_cannot_be_imported_is_said_in_place(
    server: Server, open_page: Open, watch: Watch, tmp_path: Path
) -> None:
    watch.allow("status of 4")
    page = open_page(f"{server.url}/imports")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text("Choose the file to import from.")
    (tmp_path / "broken.zip").write_bytes(b"no zip")
    page.get_by_label("Choose an archive").set_input_files(tmp_path / "broken.zip")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("zip")
    page.get_by_role("radio", name="From the server").check()
    page.get_by_label("Folder of the server").fill("/etc")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("LOOKALIKE_IMPORT_ROOTS")


def test_a_shard_with_captions_is_imported_as_one(
    server: Server, open_page: Open, tmp_path: Path, library: str
) -> None:
    shard = tmp_path / "shard.tar"
    shard.write_bytes(tar_of([member("a.jpg", small(8100)), member("a.txt", b"a brown dog")]))
    page = open_page(f"{server.url}/imports")
    page.get_by_label("Choose an archive").set_input_files(shard)
    page.get_by_label("What it is").select_option(
        label="WebDataset: a tar of samples with captions"
    )
    page.get_by_label("Library").fill(library)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator("#state")).to_have_text("Finished")
    expect(page.get_by_text("Import of WebDataset shards into")).to_be_visible()
    [image] = server.http.get("/images", params={"library": library}).json()["images"]
    assert "a brown dog" in {image["title"], *image["attributes"].values()}


def test_only_a_table_asks_where_its_paths_begin(
    server: Server, open_page: Open, watch: Watch, archive: Path, tmp_path: Path
) -> None:
    watch.allow("status of 4")
    page = open_page(f"{server.url}/imports")
    field = page.get_by_label("Where its paths begin")
    page.locator("input[type=file]").set_input_files(archive)
    expect(field).to_be_hidden()
    (tmp_path / "shop.csv").write_text("path\na.jpg\n")
    page.locator("input[type=file]").set_input_files(tmp_path / "shop.csv")
    field.fill("/etc")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("LOOKALIKE_IMPORT_ROOTS")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, NARROW["width"], 1280])
def test_the_pages_fit_any_width_and_light(
    server: Server, open_page: Open, archive: Path, library: str, width: int, scheme: str
) -> None:
    size = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    page = begin(server, open_page, archive, library, "Import", **size)
    expect(page.locator("#rows tr")).to_have_count(4)
    sizes = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    for address in (page.url, f"{server.url}/imports"):
        page.goto(address)
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        page.wait_for_load_state("networkidle")
        inside, outside = page.evaluate(sizes)
        assert inside <= outside


def test_the_keyboard_reaches_everything_that_starts_an_import(
    server: Server, open_page: Open
) -> None:
    page = open_page(f"{server.url}/imports")
    expect(page.locator("#start-tags input")).to_be_visible()
    reached = set()
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.name"))
    assert {"from", "file", "library", "go"} <= reached

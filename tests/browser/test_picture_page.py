"""The page of one picture: itself, its data, its neighbours; change and delete."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Watch
from tests.factories import ODD, picture
from tests.program import Server

Open = Callable[..., Page]


@pytest.fixture
def own(server: Server, request: pytest.FixtureRequest) -> str:
    """The id of a picture that only this test knows."""
    seed = sum(map(ord, request.node.name)) + 5000
    fields = {
        "library": "bin",
        "title": "Mine",
        "tags": "one,two",
        "attributes": '{"price": 10, "code": "10"}',
    }
    [picture_id] = server.upload({"mine.jpg": picture(seed)}, **fields)
    server.settle()
    return picture_id


def facts(page: Page) -> dict[str, str]:
    """Names and values as they are read."""
    rows = page.locator(".facts-list > div")
    expect(rows.first).to_be_visible()
    return dict(row.locator("dt, dd").all_text_contents() for row in rows.all())


def test_it_shows_the_picture_its_data_and_its_neighbours(
    server: Server, open_page: Open, ids: dict[str, str]
) -> None:
    page = open_page(f"{server.url}/images/{ids['Scene 4']}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Scene 4")
    shown = facts(page)
    known = server.http.get(f"/images/{ids['Scene 4']}").json()
    assert shown["Size"] == "240 \u00d7 320"
    assert shown["Format"].startswith("PNG")
    assert shown["SHA-256"] == known["sha256"]
    assert (shown["number"], shown["maker"]) == ("4", "north")
    main = page.get_by_role("img", name="Scene 4", exact=True)
    expect(main).to_have_attribute("src", known["urls"]["original"])
    expect(page.get_by_role("list", name="Neighbours").get_by_role("listitem")).to_have_count(24)


def test_a_neighbour_leads_to_its_page_or_to_a_search_from_it(
    server: Server, open_page: Open, ids: dict[str, str]
) -> None:
    page = open_page(f"{server.url}/images/{ids['Scene 4']}")
    neighbour = page.get_by_role("list", name="Neighbours").get_by_role("listitem").first
    name = neighbour.locator(".card-title").inner_text()
    neighbour.get_by_role("link", name=f"Search from {name}").click()
    expect(page).to_have_url(f"{server.url}/?like={ids[name]}")
    page.go_back()
    neighbour.get_by_role("link", name="Open this picture").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def test_a_format_that_browsers_cannot_show_is_shown_as_thumbnail(
    server: Server, open_page: Open
) -> None:
    [picture_id] = server.upload({"scan.tiff": picture(5100, format="TIFF")}, library="bin")
    server.settle()
    page = open_page(f"{server.url}/images/{picture_id}")
    main = page.get_by_role("img", name="scan.tiff", exact=True)
    expect(main).to_have_attribute("src", f"/api/v1/images/{picture_id}/thumbnail")


def test_title_tags_and_attributes_are_changed_in_place(
    server: Server, open_page: Open, own: str
) -> None:
    page = open_page(f"{server.url}/images/{own}")
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Title").fill("Ours")
    page.get_by_role("button", name="Remove the tag one").click()
    page.get_by_label("Tags").fill("three")
    page.get_by_label("Value").first.fill("12.5")
    page.get_by_role("button", name="Add an attribute").click()
    page.keyboard.type("sold")
    page.keyboard.press("Tab")
    page.keyboard.type("true")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ours")
    changed = server.http.get(f"/images/{own}").json()
    assert (changed["title"], changed["tags"]) == ("Ours", ["three", "two"])
    assert sorted(changed["attributes"].items()) == [
        ("code", "10"),
        ("price", 12.5),
        ("sold", True),
    ]
    expect(page.get_by_role("list", name="Tags").get_by_role("link")).to_have_text(["three", "two"])


def test_cancelling_changes_nothing(server: Server, open_page: Open, own: str) -> None:
    page = open_page(f"{server.url}/images/{own}")
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Title").fill("Other")
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", level=1)).to_have_text("Mine")
    expect(page.get_by_role("button", name="Edit")).to_be_focused()
    assert server.http.get(f"/images/{own}").json()["title"] == "Mine"


def test_it_is_deleted_after_a_question(server: Server, open_page: Open, own: str) -> None:
    page = open_page(f"{server.url}/images/{own}")
    page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog", name="Delete this picture?")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.get_by_role("button", name="Delete").click()
    dialog.get_by_role("button", name="Delete it").click()
    expect(page).to_have_url(f"{server.url}/library")
    assert server.http.get(f"/images/{own}").status_code == 404


def test_the_original_is_downloaded_unchanged(
    server: Server, open_page: Open, own: str, tmp_path: Path
) -> None:
    page = open_page(f"{server.url}/images/{own}")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    download.value.save_as(tmp_path / "copy.jpg")
    assert download.value.suggested_filename == "mine.jpg"
    original = server.http.get(f"/images/{own}/original").content
    assert (tmp_path / "copy.jpg").read_bytes() == original


def test_a_failed_picture_shows_its_reason_and_no_neighbours(
    server: Server, open_page: Open
) -> None:
    [picture_id] = server.upload({"cut.png": ODD["png_truncated"].data}, library="bin")
    server.settle()
    message = server.http.get(f"/images/{picture_id}").json()["error"]["message"]
    page = open_page(f"{server.url}/images/{picture_id}")
    expect(page.get_by_role("alert")).to_have_text(message)
    expect(page.get_by_text("This picture cannot be shown")).to_be_visible()
    expect(page.locator("#neighbours")).to_be_hidden()
    expect(page.get_by_role("link", name="Find similar")).to_have_count(0)


def test_an_unknown_picture_has_a_page_that_says_so(
    server: Server, open_page: Open, watch: Watch
) -> None:
    watch.allow("404")
    page = open_page(f"{server.url}/images/01900000-0000-7000-8000-000000000000")
    expect(page.get_by_role("heading", level=1)).to_have_text("Not Found")
    expect(page.locator("main").get_by_role("link", name="Search")).to_be_visible()
    expect(page.locator("main .lead")).to_have_text(re.compile(r"\w+.*\.$"))

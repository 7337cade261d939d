"""The library page: browse, filter, and delete a selection."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, Route, expect

from tests.factories import ODD, picture
from tests.program import Server

Open = Callable[..., Page]


def own_library(server: Server, name: str, count: int, seed: int) -> None:
    """A library of its own, since tests that delete must not disturb the others."""
    server.http.post("/libraries", json={"name": name}).raise_for_status()
    for number in range(count):
        server.upload({f"{name}-{number}.jpg": picture(seed + number)}, library=name)
    server.settle()


def test_newest_come_first_and_lead_to_their_pages(server: Server, open_page: Open) -> None:
    own_library(server, "order", 3, 2000)
    page = open_page(f"{server.url}/library?library=order")
    titles = page.locator("#pictures .card-title")
    expect(titles).to_have_text(["order-2.jpg", "order-1.jpg", "order-0.jpg"])
    page.get_by_role("link", name="order-1.jpg. Open this picture").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("order-1.jpg")


def test_more_come_while_scrolling(server: Server, open_page: Open) -> None:
    server.http.post("/libraries", json={"name": "long"}).raise_for_status()
    small = {f"{n}.jpg": picture(2100 + n, (32, 24)) for n in range(130)}
    server.upload(small, library="long")
    page = open_page(f"{server.url}/library?library=long")
    expect(page.locator("#pictures .card").first).to_be_visible()
    for expected in (120, 130):
        page.mouse.wheel(0, 100_000)
        expect(page.locator("#pictures .card")).to_have_count(expected)
    ids = page.locator("#pictures .card").evaluate_all("all => all.map(one => one.dataset.id)")
    assert len(set(ids)) == 130
    expect(page.get_by_role("button", name="Load more")).to_be_hidden()


def test_filters_narrow_it_and_stay_in_the_address(server: Server, open_page: Open) -> None:
    page = open_page(f"{server.url}/library")
    page.get_by_label("Library").select_option("main")
    page.get_by_label("Searchable").check()
    page.get_by_label("Tag").fill("third")
    expect(page.locator("#pictures .card")).to_have_count(16)
    expect(page).to_have_url(f"{server.url}/library?library=main&state=indexed&tag=third")
    page.reload()
    expect(page.locator("#pictures .card")).to_have_count(16)
    expect(page.get_by_label("Tag")).to_have_value("third")
    page.get_by_label("Tag").fill("nobody has this")
    expect(page.get_by_role("heading", name="No such pictures")).to_be_visible()


def test_failed_ones_show_their_reason(server: Server, open_page: Open) -> None:
    server.http.post("/libraries", json={"name": "poor"}).raise_for_status()
    server.upload({"cut.jpg": ODD["jpeg_truncated"].data}, library="poor")
    server.settle()
    [image] = server.http.get("/images", params={"library": "poor"}).json()["images"]
    page = open_page(f"{server.url}/library?state=failed&library=poor")
    expect(page.locator(".card-reason")).to_have_text(image["error"]["message"])


def test_a_pending_one_becomes_searchable_before_ones_eyes(server: Server, open_page: Open) -> None:
    own_library(server, "slow", 1, 2400)
    pending = re.compile(r"/api/v1/images\?(?!id=)")

    def still_pending(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace('"indexed"', '"pending"'))

    page = open_page(f"{server.url}/upload")
    page.route(pending, still_pending)
    page.goto(f"{server.url}/library?library=slow")
    expect(page.get_by_role("img", name="slow-0.jpg")).to_be_visible()
    expect(page.get_by_text("Being indexed", exact=True)).to_be_hidden()


def test_a_selection_is_deleted_after_a_question(server: Server, open_page: Open) -> None:
    own_library(server, "spare", 4, 2500)
    page = open_page(f"{server.url}/library?library=spare")
    for name in ("spare-1.jpg", "spare-3.jpg"):
        page.get_by_label(f"Select {name}").check()
    expect(page.get_by_text("2 selected")).to_be_visible()
    page.get_by_role("button", name="Delete", exact=True).click()
    dialog = page.get_by_role("dialog", name="Delete 2 pictures?")
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.locator("#pictures .card")).to_have_count(4)
    page.get_by_role("button", name="Delete", exact=True).click()
    dialog.get_by_role("button", name="Delete 2 pictures").click()
    expect(page.locator("#pictures .card-title")).to_have_text(["spare-2.jpg", "spare-0.jpg"])
    expect(page.locator("#selection")).to_be_hidden()
    left = server.http.get("/images", params={"library": "spare"}).json()["images"]
    assert [image["filename"] for image in left] == ["spare-2.jpg", "spare-0.jpg"]


def test_shift_selects_everything_between(server: Server, open_page: Open) -> None:
    own_library(server, "shift", 5, 2600)
    page = open_page(f"{server.url}/library?library=shift")
    page.get_by_label("Select shift-4.jpg").click()
    page.get_by_label("Select shift-1.jpg").click(modifiers=["Shift"])
    expect(page.get_by_text("4 selected")).to_be_visible()
    page.get_by_role("button", name="Clear", exact=True).click()
    expect(page.get_by_role("checkbox", checked=True)).to_have_count(0)
    page.get_by_role("button", name="Select all shown").click()
    expect(page.get_by_text("5 selected")).to_be_visible()


def test_an_empty_library_invites_to_upload(empty_server: Server, open_page: Open) -> None:
    page = open_page(f"{empty_server.url}/library")
    expect(page.get_by_role("heading", name="The library is empty")).to_be_visible()
    expect(page.get_by_role("link", name="Upload pictures")).to_be_visible()

"""What holds for every page: no errors, no breach of policy, any width, any light, any text."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NARROW, Watch
from tests.factories import picture
from tests.program import Server

Open = Callable[..., Page]
PATHS = ("/", "/?like={id}", "/upload", "/library", "/images/{id}")
READY = {
    "/": "#starting-points .card",
    "/?like={id}": "#results .card",
    "/upload": "[data-pick]",
    "/library": "#pictures .card",
    "/images/{id}": "#neighbours .card",
}
NASTY = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


@pytest.fixture
def address(server: Server, ids: dict[str, str]) -> Callable[[str], str]:
    return lambda path: server.url + path.format(id=ids["Scene 9"])


@pytest.mark.parametrize("path", PATHS)
def test_it_loads_without_errors_or_breaches_of_policy(
    open_page: Open, address: Callable[[str], str], path: str
) -> None:
    page = open_page(address(path))
    expect(page.locator(READY[path]).first).to_be_visible()
    page.wait_for_load_state("networkidle")
    expect(page.get_by_role("main")).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_have_count(1)


def test_a_breach_of_policy_would_be_noticed(server: Server, open_page: Open, watch: Watch) -> None:
    page = open_page(server.url)
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">')")
    page.wait_for_timeout(200)
    assert any("Content Security Policy" in trouble for trouble in watch.troubles)
    watch.allow("Content Security Policy")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("width", [320, NARROW["width"], 768, 2560])
def test_it_never_scrolls_sideways(
    open_page: Open, address: Callable[[str], str], path: str, width: int
) -> None:
    page = open_page(address(path), viewport={"width": width, "height": 800})
    expect(page.locator(READY[path]).first).to_be_visible()
    for panel in page.locator("details").all():
        panel.evaluate("panel => { panel.open = true }")
    sizes = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    inside, outside = page.evaluate(sizes)
    assert inside <= outside


@pytest.mark.parametrize("path", PATHS)
def test_its_colours_follow_the_readers_light(
    open_page: Open, address: Callable[[str], str], path: str
) -> None:
    luminance = {}
    for scheme in ("light", "dark"):
        page = open_page(address(path), color_scheme=scheme)
        expect(page.locator(READY[path]).first).to_be_visible()
        luminance[scheme] = [brightness(page, "backgroundColor"), brightness(page, "color")]
    assert luminance["light"] == [pytest.approx(255, abs=40), pytest.approx(0, abs=40)]
    assert luminance["dark"] == [pytest.approx(0, abs=40), pytest.approx(255, abs=40)]


def brightness(page: Page, side: str) -> float:
    """Mean of the root's red, green and blue, 0 to 255."""
    colour = page.evaluate(f"getComputedStyle(document.documentElement).{side}")
    red, green, blue = (float(part) for part in colour[4:-1].split(","))
    return (red + green + blue) / 3


def test_texts_of_strangers_are_only_ever_text(server: Server, open_page: Open) -> None:
    fields = {"title": NASTY, "tags": NASTY.replace(",", ""), "attributes": '{"<b>": "<i>"}'}
    server.http.post("/libraries", json={"name": "nasty"}).raise_for_status()
    [one] = server.upload(
        {f"{NASTY}.jpg".replace("/", ""): picture(7000)}, library="nasty", **fields
    )
    server.upload({"plain.jpg": picture(7001)}, library="nasty")
    server.settle()
    page = open_page(f"{server.url}/images/{one}")
    expect(page.get_by_role("heading", level=1)).to_have_text(NASTY)
    expect(page.get_by_text("<b>", exact=True)).to_be_visible()
    page.goto(f"{server.url}/library?library=nasty")
    expect(page.locator(".card-title", has_text="<script>")).to_have_text(NASTY)
    page.goto(f"{server.url}/?like={one}&library=nasty")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Like {NASTY}")
    expect(page.locator("#results .card")).to_have_count(1)
    assert "owned" not in page.title().split("·")[1]
    assert page.locator("main script, main img[onerror]").count() == 0


def test_names_of_uploaded_files_are_only_ever_text(
    server: Server, open_page: Open, watch: Watch
) -> None:
    watch.allow("status of 4")
    page = open_page(f"{server.url}/upload")
    name = NASTY.replace("/", "") + ".jpg"
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose pictures").click()
    chooser.value.set_files([{"name": name, "mimeType": "image/jpeg", "buffer": b"no picture"}])
    expect(page.locator(".file-name")).to_have_text(name)
    expect(page.locator('[data-state="failed"]')).to_have_count(1)
    assert page.locator("#files script, #files img").count() == 0


def test_the_keyboard_alone_is_enough_to_search_and_refine(server: Server, open_page: Open) -> None:
    page = open_page(f"{server.url}/?library=main")
    expect(page.locator("#starting-points .card").first).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    address = page.url
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    assert page.url == address
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Choose a picture")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page.locator("#results .card").first).to_be_visible()
    press_until(page, "More like")
    page.keyboard.press("Enter")
    expect(page.get_by_role("list", name="More like").get_by_role("button")).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page.locator("#results:not([aria-busy]) .card").first).to_be_visible()
    press_until(page, "Search from this picture")
    page.keyboard.press("Enter")
    expect(page.get_by_role("list", name="More like")).to_have_count(0)


def press_until(page: Page, label: str, presses: int = 12) -> None:
    """Press Tab until the focus is on something whose label holds this text."""
    focused = "document.activeElement.getAttribute('aria-label') ?? ''"
    for _ in range(presses):
        page.keyboard.press("Tab")
        if label in page.evaluate(focused):
            return
    pytest.fail(f"{label!r} was not reached with {presses} presses of Tab")


def test_whatever_has_the_focus_shows_it(server: Server, open_page: Open) -> None:
    page = open_page(server.url)
    expect(page.locator("#starting-points .card").first).to_be_visible()
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    for _ in range(8):
        page.keyboard.press("Tab")
        assert page.evaluate(outline) == "solid"


def test_nothing_moves_for_readers_who_ask_for_that(server: Server, open_page: Open) -> None:
    page = open_page(server.url, reduced_motion="reduce")
    image = page.locator("#starting-points img").first
    expect(image).to_be_visible()
    durations = image.evaluate("image => getComputedStyle(image).transitionDuration")
    assert durations == "0s"

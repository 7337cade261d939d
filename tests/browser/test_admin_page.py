"""The admin page: indexes built, switched and retired by hand, failures, recall."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageOps
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import Watch
from tests.factories import ODD, picture, saved
from tests.program import Server, wait_for

Open = Callable[..., Page]
Start = Callable[..., Server]
PICTURES = 45  # the search page shows 40 at first
NONE = "\N{EN DASH}"  # where there is no figure
NEW, OLD = "colors", "efficientnet-lite1"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """A server of one's own, with settings."""
    running: list[Server] = []

    def started(**settings: str) -> Server:
        running.append(Server(tmp_path / "data", **settings))
        return running[-1]

    yield started
    for server in running:
        server.stop()
        server.http.close()


@pytest.fixture
def own(start: Start) -> Server:
    """A server of one's own with pictures."""
    server = start()
    server.upload({f"{seed}.jpg": picture(seed) for seed in range(PICTURES)}, tags="scene")
    server.settle()
    return server


def card(page: Page, model: str) -> Locator:
    """The card of the index of this model that stands."""
    name = page.locator(".index-model", has_text=re.compile(f"^{model}$"))
    return page.locator("#indexes .index", has=name)


def word(page: Page, model: str) -> Locator:
    """What state it is said to be in."""
    return card(page, model).locator(".index-word")


def press(page: Page, step: str, model: str) -> None:
    card(page, model).get_by_role("button", name=re.compile(f"^{step}: {model}")).click()


def answer(page: Page, button: str) -> None:
    """Press this button of the dialog that is open."""
    page.get_by_role("dialog").get_by_role("button", name=button).click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def build(page: Page, model: str, storage: str = "float32") -> None:
    """Fill in the form by hand."""
    page.get_by_role("button", name="Build an index").click()
    page.get_by_label("Model").select_option(model)
    page.get_by_role("radio", name=re.compile(f"^{storage}")).check()
    page.get_by_role("button", name="Start building").click()


def models_that_answer(page: Page, server: Server) -> Locator:
    """The line of the search page that names the model; a picture is searched with first."""
    page.goto(f"{server.url}/?like={ids(server)[0]}")
    return page.locator("#results-meta")


def ids(server: Server) -> list[str]:
    return [image["id"] for image in server.http.get("/images?limit=100").json()["images"]]


def built(server: Server, **wanted: Any) -> str:
    """Build an index without hands; its id, once it is ready."""
    one = server.http.post("/indexes", json={"model": NEW, **wanted}).raise_for_status().json()
    wait_for(lambda: server.http.get(f"/indexes/{one['id']}").json()["state"] == "ready")
    return str(one["id"])


def test_an_index_is_built_made_live_rolled_back_and_retired_by_hand(
    own: Server, open_page: Open
) -> None:
    page = open_page(f"{own.url}/admin")
    expect(word(page, OLD)).to_have_text("Live")
    build(page, NEW, "float16")
    expect(word(page, NEW)).to_have_text("Ready")
    expect(card(page, NEW).locator(".index-storage")).to_have_text("float16")
    expect(card(page, NEW).locator(".index-figures")).to_contain_text("Bytes a picture")
    expect(card(page, NEW)).to_contain_text("All 7 gates passed")
    # Measured with it, to compare.
    expect(card(page, OLD).locator(".index-figures")).to_contain_text("Recall@10")

    press(page, "Make live", NEW)
    answer(page, "Make it live")
    expect(word(page, NEW)).to_have_text("Live")
    expect(models_that_answer(open_page("about:blank"), own)).to_contain_text(NEW)

    press(page, "Roll back", OLD)
    answer(page, "Make it live")
    expect(word(page, OLD)).to_have_text("Live")
    expect(models_that_answer(open_page("about:blank"), own)).to_contain_text(OLD)

    press(page, "Retire", NEW)
    answer(page, "Cancel")
    expect(word(page, NEW)).to_have_text("Ready")
    press(page, "Retire", NEW)
    answer(page, "Retire it")
    expect(card(page, NEW)).to_have_count(0)
    page.get_by_text("1 retired index").click()
    expect(page.locator("#retired-list .index")).to_contain_text(NEW)


def test_each_storage_is_shown_with_what_was_measured(own: Server, open_page: Open) -> None:
    built(own, storage="int8")
    page = open_page(f"{own.url}/admin")
    page.get_by_role("button", name="Build an index").click()
    page.get_by_label("Model").select_option(NEW)
    measured = page.locator("[data-storage=int8] td")
    expect(measured).to_have_text([re.compile("B|bytes"), "1.000", re.compile("ms$")])
    expect(page.locator("[data-storage=binary] td")).to_have_text([NONE] * 3)


def test_a_model_without_weights_says_how_to_get_them(
    server: Server, open_page: Open, watch: Watch
) -> None:
    watch.allow("status of 503")
    page = open_page(f"{server.url}/admin")
    build(page, "resnet18")
    expect(page.locator("#model-hint")).to_contain_text("lookalike models pull resnet18")
    expect(page.locator("#build").get_by_role("alert")).to_contain_text("resnet18")


def test_a_failed_gate_is_shown_and_overridden_by_itself(
    start: Start, open_page: Open, watch: Watch
) -> None:
    server = start()
    with Image.open(io.BytesIO(picture(500))) as scene:
        turned = [scene, ImageOps.mirror(scene), ImageOps.flip(scene), scene.rotate(180)]
        same = {f"{i}.jpg": saved(one.convert("RGB"), "JPEG") for i, one in enumerate(turned)}
    server.upload(same, tags="turned")
    server.upload({f"other-{seed}.jpg": picture(seed) for seed in range(30)})
    server.settle()
    built(server, model="pixels", labels=["turned"])

    page = open_page(f"{server.url}/admin")
    expect(card(page, "pixels")).to_contain_text("1 of 8 gates failed")
    expect(card(page, "pixels").locator("[data-passed=no]").first).to_contain_text("too little")
    press(page, "Make live", "pixels")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("mAP: turned")
    expect(dialog.get_by_role("button", name="Make it live")).to_be_disabled()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(word(page, "pixels")).to_have_text("Ready")
    press(page, "Make live", "pixels")
    dialog.get_by_role("checkbox").check()
    answer(page, "Make it live")
    expect(word(page, "pixels")).to_have_text("Live")


def test_a_build_is_paused_resumed_and_given_up(own: Server, open_page: Open) -> None:
    page = open_page(f"{own.url}/admin")
    build(page, "efficientnet-lite0")
    press(page, "Pause", "efficientnet-lite0")
    expect(word(page, "efficientnet-lite0")).to_have_text("Paused")
    expect(card(page, "efficientnet-lite0").get_by_role("progressbar")).to_be_visible()
    # The button that was pressed is gone; the next one has the keyboard now.
    focused = page.locator(":focus")
    expect(focused).to_have_attribute("aria-label", re.compile("^Resume: efficientnet-lite0"))
    page.keyboard.press("Enter")
    press(page, "Pause", "efficientnet-lite0")
    expect(word(page, "efficientnet-lite0")).to_have_text("Paused")
    press(page, "Give up", "efficientnet-lite0")
    answer(page, "Give it up")
    expect(card(page, "efficientnet-lite0")).to_have_count(0)
    expect(word(page, OLD)).to_have_text("Live")


def test_further_results_come_from_the_index_of_the_first(own: Server, open_page: Open) -> None:
    page = open_page("about:blank")
    expect(models_that_answer(page, own)).to_contain_text(f"40 pictures · {OLD}")
    new = built(own)
    own.http.post(f"/indexes/{new}/activate", json={}).raise_for_status()
    page.get_by_role("button", name="Show more").click()
    expect(page.locator("#results-meta")).to_contain_text(f"44 pictures · {OLD}")


def test_when_that_index_is_gone_the_results_begin_anew(
    own: Server, open_page: Open, watch: Watch
) -> None:
    watch.allow("status of 404")
    page = open_page("about:blank")
    expect(models_that_answer(page, own)).to_contain_text(OLD)
    [old] = own.http.get("/indexes").json()["indexes"]
    new = built(own)
    own.http.post(f"/indexes/{new}/activate", json={}).raise_for_status()
    own.http.delete(f"/indexes/{old['id']}").raise_for_status()
    page.get_by_role("button", name="Show more").click()
    expect(page.locator("#results-meta")).to_contain_text(f"40 pictures · {NEW}")
    expect(page.locator("#results-notice")).to_contain_text("is gone")
    page.get_by_role("button", name="Show more").click()
    expect(page.locator("#results-meta")).to_contain_text(f"44 pictures · {NEW}")


def test_failures_are_shown_by_reason_and_tried_again(start: Start, open_page: Open) -> None:
    server = start()
    cut = ODD["jpeg_truncated"].data
    server.upload({"cut.jpg": cut, "cut.png": ODD["png_truncated"].data})
    server.settle()
    page = open_page(f"{server.url}/admin")
    truncated = page.locator("#codes .code", has_text="truncated")
    expect(truncated).to_contain_text("2 pictures")
    expect(page.get_by_role("link", name="Show the pictures")).to_be_visible()
    mend(server, cut, picture(7))
    truncated.get_by_role("button", name="Try again: truncated").click()
    expect(page.locator("#failures-notice")).to_have_text("2 pictures get another try.")
    expect(truncated).to_contain_text("1 picture")
    mend(server, ODD["png_truncated"].data, picture(8, format="PNG"))
    page.get_by_role("button", name="Try all again").click()
    expect(page.locator("#codes .code")).to_have_count(0)
    expect(page.get_by_text("No picture of the live index failed.")).to_be_visible()


def mend(server: Server, broken: bytes, whole: bytes) -> None:
    """Put a whole file where a broken one is kept, as after a disk was restored."""
    kept = [one for one in (server.data / "blobs").rglob("*") if one.is_file()]
    [place] = [one for one in kept if one.read_bytes() == broken]
    place.chmod(0o600)
    place.write_bytes(whole)


def test_recall_of_real_searches_is_charted_by_filter(start: Start, open_page: Open) -> None:
    server = start(recall_sample_seconds="0.01", sweep_seconds="0.5")
    server.upload({f"{seed}.jpg": picture(seed) for seed in range(20)}, tags="scene")
    server.settle()
    page = open_page(f"{server.url}/admin")
    expect(page.get_by_role("heading", name="Nothing measured yet")).to_be_visible()
    expect(page.locator("#recall-how")).to_contain_text("without the picture")
    like = ids(server)[:1]

    def measured() -> bool:
        for asked in ({}, {"tags": {"any": ["scene"]}}):
            server.http.post("/search", json={"like": like, "filter": asked}).raise_for_status()
        return len(server.http.get("/recall?hours=24").json()["shapes"]) == 2

    wait_for(measured)
    page.reload()
    expect(page.locator("#legend li")).to_have_text(
        [re.compile(r"^No filter\s*1\.000"), re.compile(r"^One tag\s*1\.000")]
    )
    chart = page.get_by_role("img", name=re.compile("recall@10.*No filter 1.000"))
    expect(chart.locator(".chart-dot")).to_have_count(2)
    page.get_by_role("radio", name="7 days").check()
    page.get_by_text("As a table").click()
    expect(page.locator("#recall-table tbody tr")).to_have_count(1)
    expect(page.locator("#recall-table tbody")).to_contain_text("1.000 of")


def test_the_figures_of_the_moment_are_shown(
    server: Server, open_page: Open, ids: dict[str, str]
) -> None:
    page = open_page(f"{server.url}/")
    page.get_by_role("link", name="Admin").click()
    tiles = page.locator(".tile")
    expect(tiles.filter(has_text="Workers alive").locator(".tile-figure")).to_have_text("1")
    figure = tiles.filter(has_text="Searchable pictures").locator(".tile-figure")
    expect(figure).not_to_have_text(NONE)
    assert int(figure.inner_text()) >= len(ids)
    expect(tiles.filter(has_text="Batches waiting")).to_contain_text("Single uploads")
    expect(tiles.filter(has_text="Disk")).to_contain_text("free")
    expect(tiles.filter(has_text="Memory")).to_have_text(re.compile(r"^Memory(\d+ MB)server\1$"))


def test_each_worker_is_shown_with_its_memory_and_all_together(
    server: Server, open_page: Open
) -> None:
    told = [
        {"name": f"celery@w{number}", "memory": number * 1_000_000} for number in range(100, 111)
    ]
    told[1]["memory"] = None  # one of an older release

    def answer(route: Route) -> None:
        found = route.fetch().json() | {"memory": 300_000_000, "workers": told}
        route.fulfill(json=found)

    page = open_page("about:blank")
    page.route("**/api/v1/resources", answer)
    page.goto(f"{server.url}/admin")
    memory = page.locator(".tile", has_text="Memory")
    expect(memory.locator(".tile-figure")).to_have_text("1.4 GB")
    lines = [*zip(*(memory.locator(tag).all_inner_texts() for tag in ("dt", "dd")), strict=True)]
    assert lines[:2] == [("web server that answers", "300 MB"), ("workers together", "1.1 GB")]
    assert lines[2:5] == [
        ("celery@w100", "100 MB"),
        ("celery@w101", NONE),
        ("celery@w102", "102 MB"),
    ]
    assert lines[9:] == [("celery@w107", "107 MB"), ("3 others", "327 MB")]


def test_what_workers_hold_is_not_known_while_the_queue_is_down(
    server: Server, open_page: Open
) -> None:
    page = open_page("about:blank")
    page.route(
        "**/api/v1/resources",
        lambda route: route.fulfill(json=route.fetch().json() | {"workers": None}),
    )
    page.goto(f"{server.url}/admin")
    lines = page.locator(".tile", has_text="Memory").locator("dl > div")
    expect(lines).to_have_text([re.compile(r"\d+ MB$"), f"workers together{NONE}"])


def test_new_figures_do_not_take_the_keyboards_place(own: Server, open_page: Open) -> None:
    page = open_page(f"{own.url}/admin")
    step = page.get_by_role("button", name=re.compile(f"^Measure: {OLD}"))
    step.focus()
    figure = page.locator(".tile", has_text="Searchable pictures").locator(".tile-figure")
    expect(figure).to_have_text(str(PICTURES))
    own.upload({"one-more.jpg": picture(900)})
    expect(figure).to_have_text(str(PICTURES + 1))
    expect(step).to_be_focused()


def test_the_page_says_when_the_server_is_gone(
    empty_server: Server, open_page: Open, watch: Watch
) -> None:
    watch.allow("ERR_CONNECTION")
    page = open_page(f"{empty_server.url}/admin")
    expect(word(page, OLD)).to_have_text("Live")
    empty_server.kill()
    page.get_by_role("button", name=re.compile("^Measure")).click()
    expect(page.locator("#notice").get_by_role("alert")).to_contain_text("does not answer")
    expect(word(page, OLD)).to_have_text("Live")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 375, 1280])
def test_the_page_fits_any_width_and_light(
    server: Server, open_page: Open, width: int, scheme: str
) -> None:
    size = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    page = open_page(f"{server.url}/admin", **size)
    expect(word(page, OLD)).to_be_visible()
    page.get_by_role("button", name="Build an index").click()
    expect(page.get_by_label("Model")).to_have_value(re.compile("."))
    inside, outside = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert inside <= outside

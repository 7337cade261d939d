"""The upload page: many files at once, each ending searchable or with its reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Dialog, Page, Route, expect

from tests.browser.conftest import Watch
from tests.browser.hands import drop, paste_picture, pick
from tests.factories import ODD, picture
from tests.program import Server, wait_for

Open = Callable[..., Page]
UPLOADS = "**/api/v1/images"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """12 pictures in two nested folders, with a text file and a hidden file among them."""
    for number in range(12):
        path = tmp_path / "trip" / ("day1" if number % 2 else "day1/evening") / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(1900 + number))
    (tmp_path / "trip" / "notes.txt").write_text("a fine trip")
    (tmp_path / "trip" / ".hidden.jpg").write_bytes(b"")
    return tmp_path / "trip"


def write(folder: Path, **files: bytes) -> list[Path]:
    for name, data in files.items():
        (folder / f"{name}.jpg").write_bytes(data)
    return [folder / f"{name}.jpg" for name in files]


def open_upload(server: Server, open_page: Open) -> Page:
    """The upload page, set to a library whose pictures nobody counts on."""
    page = open_page(f"{server.url}/upload")
    page.get_by_label("Library").fill("bin")
    return page


def rows(page: Page, state: str) -> int:
    return page.locator(f'#files [data-state="{state}"]').count()


def test_many_with_bad_ones_among_them_all_end(
    server: Server, open_page: Open, watch: Watch, tmp_path: Path
) -> None:
    watch.allow("status of 4")
    good = write(tmp_path, **{f"many-{n}": picture(1000 + n) for n in range(60)})
    names = ("text", "empty", "svg", "jpeg_truncated", "line", "bomb_claimed")
    bad = write(tmp_path, **{name: ODD[name].data for name in names})
    [twin] = write(tmp_path, twin=picture(1000))
    page = open_upload(server, open_page)
    pick(page, "Choose pictures", [*good, *bad])
    summary = page.locator("#summary")
    finished = "Finished: 60 pictures are searchable, 6 could not be added."
    expect(summary).to_have_text(finished, timeout=60_000)
    assert (rows(page, "searchable"), rows(page, "failed")) == (60, 6)
    for name in names:
        reason = page.locator(".file", has_text=f"{name}.jpg").locator(".file-reason")
        expect(reason).to_have_text(re.compile(r"\w{3,}.*\.$"))
    pick(page, "Choose pictures", [twin])
    expect(page.locator(".file", has_text="twin.jpg")).to_have_attribute("data-state", "duplicate")


def test_states_can_be_looked_at_apart_and_finished_ones_cleared(
    server: Server, open_page: Open, watch: Watch, tmp_path: Path
) -> None:
    watch.allow("status of 4")
    page = open_upload(server, open_page)
    files = write(tmp_path, fine=picture(1100), poor=b"no picture")
    pick(page, "Choose pictures", files)
    expect(page.locator("#summary")).to_contain_text("Finished")
    page.get_by_role("radio", name="Failed").check()
    expect(page.locator(".file:visible")).to_have_text(re.compile("poor.jpg"))
    page.get_by_role("radio", name="All").check()
    expect(page.locator(".file:visible")).to_have_count(2)
    page.get_by_role("button", name="Clear finished").click()
    expect(page.locator(".file")).to_have_text(re.compile("poor.jpg"))


def test_a_searchable_file_links_to_its_page(
    server: Server, open_page: Open, tmp_path: Path
) -> None:
    page = open_upload(server, open_page)
    pick(page, "Choose pictures", write(tmp_path, linked=picture(1200)))
    page.get_by_role("link", name="linked.jpg").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("linked.jpg")


def test_labels_are_given_to_every_file(server: Server, open_page: Open, tmp_path: Path) -> None:
    page = open_upload(server, open_page)
    page.get_by_label("Library").fill("labelled")
    page.get_by_label("Tags").fill("one, two and three,")
    page.get_by_label("Title").fill("The same for both")
    pick(page, "Choose pictures", write(tmp_path, a=picture(1300), b=picture(1301)))
    expect(page.locator("#summary")).to_contain_text("Finished: 2 pictures are searchable")
    listed = server.http.get("/images", params={"library": "labelled"}).json()["images"]
    labels = {(image["title"], *image["tags"]) for image in listed}
    assert labels == {("The same for both", "one", "two and three")}
    assert len(listed) == 2


def test_a_library_name_that_cannot_be_is_explained(
    server: Server, open_page: Open, watch: Watch, tmp_path: Path
) -> None:
    watch.allow("status of 4")
    page = open_upload(server, open_page)
    page.get_by_label("Library").fill("no spaces, please")
    pick(page, "Choose pictures", write(tmp_path, a=picture(1302)))
    answer = server.http.post("/libraries", json={"name": "no spaces, please"})
    expect(page.get_by_role("alert")).to_have_text(answer.json()["error"]["message"])
    expect(page.locator(".file")).to_have_count(0)


def test_a_dropped_folder_is_searched_through(
    server: Server, open_page: Open, folder: Path
) -> None:
    page = open_upload(server, open_page)
    drop(page, [folder])
    expect(page.locator("#summary")).to_have_text("Finished: 12 pictures are searchable.")
    expect(page.locator("#left-out")).to_have_text("Left out what is no picture: 1 file.")


def test_a_chosen_folder_is_searched_through(server: Server, open_page: Open, folder: Path) -> None:
    page = open_upload(server, open_page)
    pick(page, "Choose a folder", folder)
    expect(page.locator("#summary")).to_have_text("Finished: 12 pictures are searchable.")
    expect(page.locator("#left-out")).to_have_text("Left out what is no picture: 1 file.")


def test_a_pasted_picture_is_uploaded(server: Server, open_page: Open) -> None:
    page = open_upload(server, open_page)
    paste_picture(page, picture(1400, format="PNG"))
    expect(page.locator("#summary")).to_have_text("Finished: 1 picture is searchable.")


def test_what_the_network_lost_can_be_sent_again(
    server: Server, open_page: Open, watch: Watch, tmp_path: Path
) -> None:
    watch.allow("ERR_FAILED")
    page = open_upload(server, open_page)
    page.route(UPLOADS, lambda route: route.abort())
    pick(page, "Choose pictures", write(tmp_path, x=picture(1500), y=picture(1501)))
    expect(page.locator('[data-state="unsent"]')).to_have_count(2)
    expect(page.locator(".file-reason").first).to_contain_text("Lookalike does not answer")
    page.unroute(UPLOADS)
    page.get_by_role("button", name="Try x.jpg again").click()
    expect(page.locator('[data-state="searchable"]')).to_have_text(re.compile("x.jpg"))
    expect(page.locator('[data-state="unsent"]')).to_have_text(re.compile("y.jpg"))
    page.locator("#retry-all").click()
    expect(page.locator("#summary")).to_have_text("Finished: 2 pictures are searchable.")


def test_at_most_three_requests_run_at_once(
    server: Server, open_page: Open, tmp_path: Path
) -> None:
    held: list[Route] = []
    released = False

    def hold(route: Route) -> None:
        if released:
            route.continue_()
        else:
            held.append(route)

    page = open_upload(server, open_page)
    page.route(UPLOADS, hold)
    files = write(tmp_path, **{f"w{n}": picture(1600 + n) for n in range(40)})
    pick(page, "Choose pictures", files)
    expect(page.locator('[data-state="sending"]')).to_have_count(24)
    expect(page.locator('[data-state="waiting"]')).to_have_count(16)
    assert len(held) == 3
    released = True
    for route in held:
        route.continue_()
    expect(page.locator("#summary")).to_have_text("Finished: 40 pictures are searchable.")


def test_leaving_midway_asks_first(server: Server, open_page: Open, tmp_path: Path) -> None:
    questions: list[str] = []

    def stay(dialog: Dialog) -> None:
        questions.append(dialog.type)
        dialog.dismiss()

    page = open_upload(server, open_page)
    page.on("dialog", stay)
    page.route(UPLOADS, lambda _route: None)
    pick(page, "Choose pictures", write(tmp_path, slow=picture(1700)))
    expect(page.locator('[data-state="sending"]')).to_have_count(1)
    page.close(run_before_unload=True)
    wait_for(lambda: (page.wait_for_timeout(50), questions)[1] == ["beforeunload"], 10)
    assert not page.is_closed()


def test_progress_is_told_to_screen_readers(
    server: Server, open_page: Open, tmp_path: Path
) -> None:
    page = open_upload(server, open_page)
    pick(page, "Choose pictures", write(tmp_path, spoken=picture(1800)))
    expect(page.locator("#live")).to_have_text("Finished: 1 picture is searchable.")
    expect(page.locator("#live")).to_have_attribute("aria-live", "polite")

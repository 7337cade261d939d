"""The search page: ways in, results, refinement, and what the address and Back do."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import PICTURES, Watch
from tests.browser.hands import Picked, drop, hover_files, paste_picture, pick
from tests.factories import ODD, picture
from tests.program import Server

Open = Callable[..., Page]
Lookalike = Callable[[int], Picked]


def cards(page: Page) -> Locator:
    return page.get_by_role("list", name="Neighbours").get_by_role("listitem")


def first_title(page: Page) -> Locator:
    return cards(page).first.locator(".card-title")


def test_a_picked_picture_finds_its_lookalike_first(
    server: Server, open_page: Open, lookalike: Lookalike
) -> None:
    page = open_page(server.url)
    pick(page, "Choose a picture", lookalike(7).path)
    expect(first_title(page)).to_have_text("Scene 7")
    expect(page.get_by_role("heading", level=1)).to_have_text("Like query-7.jpg")
    expect(cards(page).first.locator(".score")).to_have_text(re.compile(r"^(0\.9\d|1\.00)$"))


def test_it_says_which_model_answered_and_how_fast(
    server: Server, open_page: Open, ids: dict[str, str]
) -> None:
    page = open_page(f"{server.url}/?like={ids['Scene 3']}")
    meta = re.compile(r"^40 pictures · efficientnet-lite1, [\d.]+ ms$")
    expect(page.locator("#results-meta")).to_have_text(meta)


def test_scores_fall_from_first_to_last(
    server: Server, open_page: Open, ids: dict[str, str]
) -> None:
    page = open_page(f"{server.url}/?like={ids['Scene 3']}")
    expect(cards(page)).to_have_count(40)
    scores = [float(text) for text in page.locator("#results .score").all_text_contents()]
    assert scores == sorted(scores, reverse=True)


def test_a_dropped_picture_finds_its_lookalike_first(
    server: Server, open_page: Open, lookalike: Lookalike
) -> None:
    page = open_page(server.url)
    hover_files(page, [lookalike(11).path])
    expect(page.get_by_text("Drop it to find its lookalikes")).to_be_visible()
    drop(page, [lookalike(11).path])
    expect(page.get_by_text("Drop it to find its lookalikes")).to_be_hidden()
    expect(first_title(page)).to_have_text("Scene 11")


def test_a_pasted_picture_finds_its_lookalike_first(server: Server, open_page: Open) -> None:
    page = open_page(server.url)
    paste_picture(page, picture(13, (240, 320), "PNG"))
    expect(first_title(page)).to_have_text("Scene 13")


def test_pasting_works_beside_results_too(
    server: Server, open_page: Open, ids: dict[str, str]
) -> None:
    page = open_page(f"{server.url}/?like={ids['Scene 3']}")
    expect(cards(page).first).to_be_visible()
    paste_picture(page, picture(13, (240, 320), "PNG"))
    expect(first_title(page)).to_have_text("Scene 13")


def test_recent_pictures_are_offered_as_starting_points(
    server: Server, open_page: Open, ids: dict[str, str]
) -> None:
    page = open_page(f"{server.url}/?library=main")
    starts = page.get_by_role("region", name="Or start from one of these")
    starts.get_by_role("link", name="Scene 47. Search from this picture").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Like Scene 47")
    expect(page).to_have_url(f"{server.url}/?like={ids['Scene 47']}")


def test_an_empty_library_invites_to_upload(empty_server: Server, open_page: Open) -> None:
    page = open_page(empty_server.url)
    expect(page.get_by_role("heading", name="There is nothing to find yet")).to_be_visible()
    page.get_by_role("link", name="Upload pictures").click()
    expect(page).to_have_url(f"{empty_server.url}/upload")


def test_a_result_starts_the_next_search_and_back_returns(
    server: Server, open_page: Open, ids: dict[str, str]
) -> None:
    page = open_page(f"{server.url}/?like={ids['Scene 3']}")
    found = first_title(page).inner_text()
    cards(page).first.get_by_role("link", name="Search from this picture").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Like {found}")
    expect(page).to_have_url(f"{server.url}/?like={ids[found]}")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Like Scene 3")
    expect(page).to_have_url(f"{server.url}/?like={ids['Scene 3']}")


def test_back_returns_to_a_picture_that_is_not_stored(
    server: Server, open_page: Open, lookalike: Lookalike
) -> None:
    page = open_page(server.url)
    pick(page, "Choose a picture", lookalike(7).path)
    first_title(page).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Scene 7")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Like query-7.jpg")
    expect(first_title(page)).to_have_text("Scene 7")


def test_a_result_leads_to_its_own_page(
    server: Server, open_page: Open, ids: dict[str, str]
) -> None:
    page = open_page(f"{server.url}/?like={ids['Scene 3']}")
    found = first_title(page).inner_text()
    first_title(page).click()
    expect(page).to_have_url(f"{server.url}/images/{ids[found]}")


def test_more_are_shown_on_request_each_once(
    server: Server, open_page: Open, ids: dict[str, str]
) -> None:
    page = open_page(f"{server.url}/?like={ids['Scene 3']}")
    page.get_by_role("button", name="Show more").click()
    expect(cards(page)).to_have_count(PICTURES - 1)
    expect(page.get_by_role("button", name="Show more")).to_be_hidden()
    titles = page.locator("#results .card-title").all_text_contents()
    assert len(set(titles)) == PICTURES - 1


def test_more_and_less_like_this_steer_and_stay_in_the_address(
    server: Server, open_page: Open, ids: dict[str, str]
) -> None:
    page = open_page(f"{server.url}/?like={ids['Scene 3']}")
    wanted, unwanted = (cards(page).nth(at).locator(".card-title").inner_text() for at in (1, 5))
    page.get_by_role("button", name=f"More like {wanted}", exact=True).click()
    expect(page.get_by_role("list", name="More like").get_by_role("button")).to_have_count(1)
    page.get_by_role("button", name=f"Less like {unwanted}", exact=True).click()
    likes = f"like={ids['Scene 3']}&like={ids[wanted]}&unlike={ids[unwanted]}"
    expect(page).to_have_url(f"{server.url}/?{likes}")
    for title in (wanted, unwanted):
        expect(page.locator("#results").get_by_text(title, exact=True)).to_have_count(0)
    page.reload()
    expect(page.get_by_role("list", name="Less like").get_by_role("button")).to_have_count(1)
    page.get_by_role("button", name=re.compile("Take out: less like")).click()
    expect(page.get_by_role("list", name="Less like")).to_have_count(0)
    expect(page).to_have_url(f"{server.url}/?like={ids['Scene 3']}&like={ids[wanted]}")


def test_examples_refine_a_search_by_a_picture_that_is_not_stored(
    server: Server, open_page: Open, lookalike: Lookalike, ids: dict[str, str]
) -> None:
    page = open_page(server.url)
    pick(page, "Choose a picture", lookalike(7).path)
    page.get_by_role("button", name="Less like Scene 7", exact=True).click()
    expect(page).to_have_url(f"{server.url}/?unlike={ids['Scene 7']}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Like query-7.jpg")
    expect(page.locator("#results").get_by_text("Scene 7", exact=True)).to_have_count(0)


def test_dragging_on_the_query_searches_for_that_part(
    server: Server, open_page: Open, ids: dict[str, str]
) -> None:
    page = open_page(f"{server.url}/?like={ids['Scene 3']}")
    expect(cards(page)).to_have_count(40)
    before = page.locator("#results .score").all_text_contents()
    frame = page.locator(".query-frame")
    box = frame.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.1, box["y"] + box["height"] * 0.2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.7, steps=5)
    with page.expect_response("**/api/v1/search") as answer:
        page.mouse.up()
    asked = answer.value.request.post_data_json
    assert [round(part, 1) for part in asked["crop"]] == [0.1, 0.2, 0.5, 0.5]
    expect(page).to_have_url(re.compile("crop=0.1"))
    expect(page.locator("#results .score")).not_to_have_text(before)
    page.get_by_role("button", name="Clear the crop").click()
    expect(page).to_have_url(f"{server.url}/?like={ids['Scene 3']}")
    expect(page.locator("#results .score")).to_have_text(before)


def test_a_crop_is_made_moved_resized_and_cleared_by_keys(
    server: Server, open_page: Open, ids: dict[str, str]
) -> None:
    page = open_page(f"{server.url}/?like={ids['Scene 3']}")
    page.get_by_role("button", name="Crop", exact=True).press("Enter")
    expect(page.get_by_role("group", name="Part to search for")).to_be_focused()
    expect(page).to_have_url(re.compile("crop=0.2%2C0.2%2C0.6%2C0.6"))
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowDown")
    expect(page).to_have_url(re.compile("crop=0.18%2C0.2%2C0.6%2C0.62"))
    page.keyboard.press("Delete")
    expect(page).to_have_url(f"{server.url}/?like={ids['Scene 3']}")


def test_a_crop_of_a_picture_that_is_not_stored_is_searched(
    server: Server, open_page: Open, lookalike: Lookalike
) -> None:
    page = open_page(server.url)
    pick(page, "Choose a picture", lookalike(7).path)
    expect(cards(page)).to_have_count(40)
    with page.expect_response("**/api/v1/search") as answer:
        page.get_by_role("button", name="Crop", exact=True).click()
    assert answer.value.status == 200
    expect(page).to_have_url(re.compile("crop=0.2%2C0.2%2C0.6%2C0.6"))


def test_a_bad_query_is_answered_with_its_reason(
    server: Server, open_page: Open, watch: Watch, tmp_path: Path
) -> None:
    watch.allow("415")  # the browser logs every refused request
    bad = tmp_path / "notes.jpg"
    bad.write_bytes(ODD["text"].data)
    answer = server.http.post("/search", files={"image": ("notes.jpg", bad.read_bytes())})
    page = open_page(server.url)
    pick(page, "Choose a picture", bad)
    expect(page.get_by_role("alert")).to_have_text(answer.json()["error"]["message"])
    expect(cards(page)).to_have_count(0)
    page.go_back()
    expect(page.get_by_role("button", name="Choose a picture")).to_be_visible()


def test_a_picture_that_the_browser_cannot_show_is_searched_all_the_same(
    server: Server, open_page: Open, tmp_path: Path
) -> None:
    path = tmp_path / "query.tiff"
    path.write_bytes(picture(7, (320, 240), "TIFF"))
    page = open_page(server.url)
    pick(page, "Choose a picture", path)
    expect(page.get_by_text("Your browser cannot show this format.")).to_be_visible()
    expect(page.get_by_role("button", name="Crop", exact=True)).to_be_hidden()
    expect(first_title(page)).to_have_text("Scene 7")


def test_a_search_from_a_deleted_picture_says_so(
    server: Server, open_page: Open, watch: Watch
) -> None:
    watch.allow("404")  # the browser logs every refused request
    page = open_page(f"{server.url}/?like=01900000-0000-7000-8000-000000000000")
    expect(page.get_by_role("alert")).to_contain_text("no picture")

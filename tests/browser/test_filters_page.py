"""The filter panel: what each control asks for, and that the address carries it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Watch
from tests.program import Server

Open = Callable[..., Page]
NUMBERS = range(48)


@pytest.fixture
def page(server: Server, open_page: Open, ids: dict[str, str]) -> Page:
    """Searching from scene 3, which itself is never among the results."""
    opened = open_page(f"{server.url}/?like={ids['Scene 3']}")
    expect(opened.locator("#results .card")).to_have_count(40)
    return opened


def asked(page: Page) -> Any:
    """The filter in the address."""
    return json.loads(parse_qs(urlsplit(page.url).query)["filter"][0])


def expect_scenes(page: Page, numbers: set[int]) -> None:
    """Exactly these scenes are shown, but for the one that is searched with."""
    wanted = {f"Scene {number}" for number in numbers - {3}}
    expect(page.locator("#results .card")).to_have_count(len(wanted))
    assert set(page.locator("#results .card-title").all_text_contents()) == wanted


def type_tags(page: Page, label: str, *tags: str) -> None:
    for tag in tags:
        page.get_by_label(label).fill(tag)
        page.get_by_label(label).press("Enter")


def test_tags_any_all_and_none(page: Page) -> None:
    type_tags(page, "Has any of", "third", "odd")
    type_tags(page, "Has none of", "even")
    expect_scenes(page, {n for n in NUMBERS if n % 2})
    type_tags(page, "Has all of", "third")
    expect_scenes(page, {n for n in NUMBERS if n % 2 and n % 3 == 0})
    tags = {"any": ["third", "odd"], "all": ["third"], "none": ["even"]}
    assert asked(page) == {"tags": tags}


def test_words_of_titles_and_of_attributes(page: Page, open_page: Open) -> None:
    box = page.get_by_label("Words in title or captions")
    box.fill("  scene SOUTH ")
    box.press("Enter")
    expect_scenes(page, {n for n in NUMBERS if n >= 24} | {3})
    assert asked(page) == {"text": "scene SOUTH"}
    again = open_page(page.url)
    expect_scenes(again, {n for n in NUMBERS if n >= 24} | {3})
    expect(again.get_by_label("Words in title or captions")).to_have_value("scene SOUTH")
    again.get_by_role("button", name="words: scene SOUTH").click()
    expect(again.locator("#results .card")).to_have_count(40)
    expect(again.get_by_label("Words in title or captions")).to_have_value("")
    assert "filter" not in again.url


def test_shape_and_format(page: Page) -> None:
    page.get_by_label("Tall").check()
    page.get_by_label("PNG").check()
    expect_scenes(page, {n for n in NUMBERS if n % 3 == 1 and n % 4 == 0})
    assert asked(page) == {"orientation": "portrait", "format": ["png"]}


def test_sizes(page: Page) -> None:
    page.get_by_label("Width, pixels, at least").fill("250")
    page.get_by_label("Width, pixels, at most").fill("300")
    page.get_by_label("Height, pixels, at least").fill("256")
    page.get_by_label("File, MB, at most").fill("1.5")
    page.get_by_label("File, MB, at most").press("Enter")
    expect_scenes(page, {n for n in NUMBERS if n % 3 == 2})
    assert asked(page) == {
        "width": {"gte": 250, "lte": 300},
        "height": {"gte": 256},
        "bytes": {"lte": 1_500_000},
    }


def test_days_of_adding_are_the_readers_days(page: Page) -> None:
    today = datetime.now(ZoneInfo("Asia/Tokyo"))
    page.get_by_label("Added, from").fill(f"{today:%Y-%m-%d}")
    page.get_by_label("Added, from").blur()
    expect(page.get_by_role("button", name="added from")).to_be_visible()
    midnight = today.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    assert datetime.fromisoformat(asked(page)["added"]["from"]) == midnight


def test_days_of_taking_are_the_cameras_days(page: Page) -> None:
    page.get_by_label("Taken, to").fill("2024-05-06")
    page.get_by_label("Taken, to").blur()
    expect(page.get_by_text("No picture meets all the filters.")).to_be_visible()
    assert asked(page) == {"taken": {"to": "2024-05-06"}}


def test_attributes_by_value_and_by_range(page: Page) -> None:
    add_condition(page, "maker", "is", "south")
    add_condition(page, "number", "at least", "30")
    add_condition(page, "number", "at most", "33")
    expect_scenes(page, {30, 31, 32, 33})
    assert asked(page) == {"attributes": {"maker": "south", "number": {"gte": 30, "lte": 33}}}
    page.reload()
    expect_scenes(page, {30, 31, 32, 33})
    expect(page.get_by_role("group", name="Attribute condition")).to_have_count(3)
    page.get_by_role("button", name="Remove this condition").first.click()
    expect(page.locator("#filter-chips").get_by_role("button")).to_have_count(2)


def add_condition(page: Page, name: str, comparison: str, value: str) -> None:
    page.get_by_role("button", name="Add a condition").click()
    row = page.get_by_role("group", name="Attribute condition").last
    row.get_by_label("Attribute", exact=True).fill(name)
    row.get_by_label("Comparison").select_option(label=comparison)
    row.get_by_label("Value").fill(value)
    row.get_by_label("Value").blur()


def test_least_score(page: Page) -> None:
    slider = page.get_by_role("slider", name="At least")
    slider.fill("0.5")
    expect(page.get_by_text("At least 0.50")).to_be_visible()
    expect(page.get_by_role("button", name="score at least 0.50")).to_be_visible()
    assert parse_qs(urlsplit(page.url).query)["min_score"] == ["0.5"]
    scores = [float(text) for text in page.locator("#results .score").all_text_contents()]
    assert all(score >= 0.5 for score in scores)


def test_another_library(page: Page) -> None:
    page.get_by_label("Library").select_option("attic")
    expect(page.locator("#results .card")).to_have_count(4)
    assert parse_qs(urlsplit(page.url).query)["library"] == ["attic"]


def test_the_address_brings_filters_back(page: Page, open_page: Open) -> None:
    type_tags(page, "Has any of", "third")
    page.get_by_label("Square").check()
    expect_scenes(page, set())
    again = open_page(page.url)
    expect(again.get_by_role("button", name="Remove the tag third")).to_be_visible()
    expect(again.get_by_label("Square")).to_be_checked()
    expect(again.locator("#filter-count")).to_have_text("2")


def test_chips_take_single_conditions_away_and_one_button_all(page: Page) -> None:
    type_tags(page, "Has all of", "third", "odd")
    page.get_by_label("PNG").check()
    expect(page.get_by_text("No picture meets all the filters.")).to_be_visible()
    page.get_by_role("button", name="PNG", exact=True).click()
    expect_scenes(page, {n for n in NUMBERS if n % 2 and n % 3 == 0})
    expect(page.get_by_label("PNG")).not_to_be_checked()
    page.locator("#filters").get_by_role("button", name="Clear all filters").click()
    expect(page.locator("#results .card")).to_have_count(40)
    assert "filter" not in page.url


def test_filters_outlive_the_next_search(page: Page, ids: dict[str, str]) -> None:
    type_tags(page, "Has any of", "third")
    expect(page.locator("#results .card")).to_have_count(15)
    page.locator("#results a.card-picture").first.click()
    expect(page.get_by_role("heading", level=1)).not_to_have_text("Like Scene 3")
    assert asked(page) == {"tags": {"any": ["third"]}}
    expect(page.locator("#results .card")).to_have_count(15)


def test_a_range_that_is_upside_down_is_explained(page: Page, watch: Watch) -> None:
    watch.allow("400")
    page.get_by_label("Width, pixels, at least").fill("300")
    page.get_by_label("Width, pixels, at most").fill("200")
    page.get_by_label("Width, pixels, at most").blur()
    expect(page.get_by_role("alert")).to_contain_text("gte must not be larger than lte")


def test_lookalikes_are_kept_together_where_it_is_asked_for(
    page: Page, server: Server, ids: dict[str, str]
) -> None:
    cards = page.locator("#results .card-title")
    body = {"like": [ids["Scene 3"]], "limit": 40}

    def order(rerank: bool) -> list[str]:
        answer = server.http.post("/search", json=body | {"rerank": rerank})
        return [one["image"]["title"] for one in answer.json()["results"]]

    plain, together = order(rerank=False), order(rerank=True)
    assert plain != together
    expect(cards).to_have_text(plain)
    page.get_by_label("Keep lookalikes together").check()
    expect(cards).to_have_text(together)
    assert parse_qs(urlsplit(page.url).query)["rerank"] == ["true"]
    page.reload()
    expect(cards).to_have_text(together)
    expect(page.get_by_label("Keep lookalikes together")).to_be_checked()
    page.get_by_label("Keep lookalikes together").uncheck()
    expect(cards).to_have_text(plain)
    assert "rerank" not in page.url

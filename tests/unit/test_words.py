"""Words: one spelling for what reads the same, and no more of them than a payload should carry."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.services.words import LONGEST, MOST_WORDS, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \t\n", []),
        ("?! -- _ \x00 \U0001f415 \u2764\ufe0f", []),
        ("A brown dog, a Dog.", ["a", "brown", "dog"]),
        ("brown_dog.jpg", ["brown", "dog", "jpg"]),
        ("the dog's T-shirt", ["the", "dog", "s", "t", "shirt"]),
        ("3.5 m\u00b2", ["3", "5", "m2"]),
        ("STRASSE stra\u00dfe", ["strasse"]),
        ("caf\u00e9 CAFE\u0301 cafe", ["caf\u00e9", "cafe"]),
        ("\ufb01ne \uff24\uff2f\uff27", ["fine", "dog"]),
        ("\u039f\u03b4\u03cc\u03c2 \u03bf\u03b4\u03cc\u03c3", ["\u03bf\u03b4\u03cc\u03c3"]),
        ("Schiff\u00adfahrt", ["schifffahrt"]),
        ("हिन्दी, में", ["हिन्दी", "में"]),
        ("\u0645\u06cc\u200c\u062e\u0648", ["\u0645\u06cc\u062e\u0648"]),
        ("강아지가 뛴다", ["강아지가", "뛴다"]),
        ("犬", ["犬"]),
        ("茶色い犬", ["茶", "色", "い", "犬", "茶色", "色い", "い犬"]),
        ("3匹のdog", ["3", "匹", "の", "匹の", "dog"]),
        ("ﾄﾞｱ", ["ド", "ア", "ドア"]),
        ("ดง\u200bแ", ["ด", "ง", "ดง", "แ"]),
    ],
)
def test_words_are_runs_of_letters_and_digits_in_one_spelling(text: str, words: list[str]):
    assert words_of(text) == tuple(words)


def test_each_word_of_all_texts_comes_once_and_in_order():
    assert words_of("A dog.", "A cat,", "", "a dog\nruns") == ("a", "dog", "cat", "runs")


def test_no_word_reaches_from_one_text_into_the_next():
    assert words_of("茶", "色") == ("茶", "色")


def test_of_a_word_that_is_too_long_the_beginning_counts():
    assert words_of("x" * LONGEST + "y", "x" * 10_000) == ("x" * LONGEST,)


def test_of_too_many_words_the_first_count():
    numbers = [str(number) for number in range(MOST_WORDS + 5)]
    assert words_of(" ".join(numbers)) == tuple(numbers[:MOST_WORDS])


texts = st.text(st.characters(exclude_categories=("Cs",)) | st.sampled_from("aé ß茶ด\u0301\u00ad_"))


@given(texts)
def test_a_word_that_is_asked_for_by_itself_is_itself(text: str):
    for word in words_of(text):
        assert word in words_of(word)


@given(texts, texts)
def test_a_text_is_found_by_each_of_its_pieces_between_blanks(text: str, rest: str):
    assert set(words_of(text)) <= set(words_of(f"{rest} {text}"))


@given(st.text(st.characters(categories=("L", "N", "P", "Zs"))))
def test_the_case_does_not_matter(text: str):
    assert set(words_of(text.casefold())) == set(words_of(text))

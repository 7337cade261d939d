"""The words of a text: the same for what pictures say, for what filters ask, on every engine.

A word is a run of letters and digits with their accents, in any case; signs between words do
not count. `dogs` is another word than `dog`. Writing without spaces, such as Chinese, Japanese
and Thai, has no such runs: there each character is a word, and each two neighbours are another,
so that what is asked for in one piece is found where it stands in one piece.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice, pairwise
from unicodedata import category, normalize

MOST_WORDS = 1000
"""Most different words that are kept of a picture: four times those of five long captions."""

LONGEST = 50
"""Characters of a word that count. What is longer is no word of any language's captions."""

_UNSPACED = (
    "\u3005-\u3007\u3041-\u312f\u31f0-\u31ff"  # kana, bopomofo and marks of repetition
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai and Lao, Burmese, Khmer
)
_RUN = re.compile(f"([{_UNSPACED}]+)|([^{_UNSPACED} ]+)")
_SIGN = re.compile(r"[^\w ]|_")
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u180b-\u180f\u200c-\u200f\u202a-\u202e\u2060-\u206f"
    "\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff]"
)
"""What Unicode calls default ignorable, such as soft hyphens: it may stand inside a word."""


def words_of(*texts: str) -> tuple[str, ...]:
    """The different words of these texts in their order, `MOST_WORDS` at most."""
    found = (word for text in texts for word in _words(text))
    return tuple(islice(dict.fromkeys(found), MOST_WORDS))


def _words(text: str) -> Iterator[str]:
    for unspaced, word in _RUN.findall(_spaced(_plain(text))):
        if unspaced:
            yield from unspaced
            yield from map("".join, pairwise(unspaced))
        elif any(map(str.isalnum, word)):
            yield word[:LONGEST]


def _plain(text: str) -> str:
    """The text with one spelling for what reads the same, as NFKC_Casefold has it."""
    return normalize("NFKC", normalize("NFKC", _INVISIBLE.sub("", text)).casefold())


def _spaced(text: str) -> str:
    """The text with a blank for each sign that is no letter, digit or accent."""
    return _SIGN.sub(lambda sign: sign[0] if category(sign[0])[0] == "M" else " ", text)

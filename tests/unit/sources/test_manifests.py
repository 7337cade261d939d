"""Manifests in their three formats, and rows that fail alone."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from lookalike.services.errors import SourceError
from lookalike.services.sources.ports import Tools
from lookalike.services.sources.records import Found, Item, Refused, Sink
from tests.unit.sources.reading import GOOD, codes, opened, outcome


class Recorder:
    """A fetcher that gives each URL's own text."""

    def fetch(self, url: str, sink: Sink) -> None:
        sink.write(url.encode())


TOOLS = Tools(fetcher=Recorder(), tables=None, bucket=None)  # type: ignore[arg-type] # not used


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "a.jpg").write_bytes(GOOD)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.jpg").write_bytes(GOOD)
    (tmp_path / "link.jpg").symlink_to("/etc/passwd")
    return tmp_path


def items(root: Path, content: str | bytes, form: str = "csv", **spec: Any) -> list[Item]:
    data = content if isinstance(content, bytes) else content.encode()
    source = opened("manifest", data, roots=[root], tools=TOOLS, format=form, folder=".", **spec)
    found = list(source.items())
    assert source.total() == len(found)
    assert [one.position for one in found] == list(range(len(found)))
    return found


def kinds(found: list[Item]) -> list[str]:
    return ["ok" if isinstance(outcome(one), bytes) else str(outcome(one)) for one in found]


def attributes(found: Item) -> dict:
    assert isinstance(found, Found)
    return found.labels.attributes


def test_columns_become_title_tags_and_typed_attributes(root: Path):
    text = (
        "path,title,tags,price,count,new,code,phone,note,empty\n"
        'a.jpg,"A, ""B""","x, y",1.50,12,true,007,+49 1,"two\nlines",\n'
        "sub/b.jpg,,,-3,0,False,1e5,nan,10000000000000000000,\n"
    )
    (first, second) = items(root, text)
    assert isinstance(first, Found)
    assert first.labels.model_dump() == {
        "title": 'A, "B"',
        "tags": ["x", "y"],
        "attributes": {
            "price": 1.5,
            "count": 12,
            "new": True,
            "code": "007",
            "phone": "+49 1",
            "note": "two\nlines",
        },
    }
    assert attributes(second) == {
        "price": -3,
        "count": 0,
        "new": False,
        "code": "1e5",
        "phone": "nan",
        "note": "10000000000000000000",
    }
    assert type(attributes(second)["new"]) is bool
    assert outcome(first) == GOOD


def test_columns_can_be_named_and_kept_as_text(root: Path):
    text = "file;what;size\na.jpg;dog;12\n"
    (found,) = items(root, text, columns={"path": "file", "title": "what"}, text=["size"])
    assert isinstance(found, Found)
    assert (found.labels.title, found.labels.attributes) == ("dog", {"size": "12"})


def test_json_keeps_its_types(root: Path):
    row = {
        "path": "a.jpg",
        "tags": ["x", "y"],
        "n": 1,
        "f": 1.5,
        "b": False,
        "s": "1",
        "none": None,
    }
    (found,) = items(root, json.dumps(row) + "\n\n", "jsonl")
    assert attributes(found) == {"n": 1, "f": 1.5, "b": False, "s": "1"}
    assert isinstance(found, Found)
    assert found.labels.tags == ["x", "y"]


def test_paths_and_urls_may_be_in_either_column(root: Path):
    text = (
        "path,url\na.jpg,\n,https://pictures.example/1.jpg\nhttps://u:p@pictures.example/2.jpg#x,\n"
    )
    found = items(root, text)
    assert [outcome(one) for one in found] == [
        GOOD,
        b"https://pictures.example/1.jpg",
        b"https://u:p@pictures.example/2.jpg#x",
    ]
    assert found[2].name == "https://pictures.example/2.jpg"


BAD_CSV = {
    "too few cells": "a.jpg",
    "too many cells": "a.jpg,b,c",
    "no picture": ",title",
    "leads out": "../a.jpg,title",
    "absolute": "/etc/passwd,title",
    "link": "link.jpg,title",
    "gone": "gone.jpg,title",
    "a folder": "sub,title",
    "below a file": "a.jpg/b.jpg,title",
    "too long a name": f"{'a' * 5000}.jpg,title",
    "open quote": 'a.jpg,"title',
    "quote in the middle": 'a.jpg,"ti"tle',
    "no URL": "http://,title",
    "over-long URL": f"http://pictures.example/{'a' * 5000},title",
    "title too long": f"a.jpg,{'t' * 600}",
    "line too long": f"a.jpg,{'t' * 100_000}",
    "NUL": "a.jpg,ti\x00tle",
}


@pytest.mark.parametrize("line", BAD_CSV.values(), ids=BAD_CSV.keys())
def test_a_bad_row_fails_alone(root: Path, line: str):
    found = items(root, f"path,title\na.jpg,first\n{line}\nsub/b.jpg,last\n")
    result = kinds(found)
    assert [result[0], result[-1], len(result)] == ["ok", "ok", 3]
    assert result[1] in {"bad_row", "unsafe_name", "not_a_file", "missing_file"}


def test_a_bad_row_says_its_line(root: Path):
    (first, second) = items(root, 'path,title\n"a.jpg","two\nlines"\n\nbad\n')
    assert isinstance(first, Found)
    assert isinstance(second, Refused)
    assert (second.name, second.error.details["line"]) == ("line 5", 5)
    assert second.error.message.startswith("Line 5: ")


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "1",
        "{",
        '{"path": 1}',
        '{"path": {}}',
        '{"path": "a.jpg", "x": [1]}',
        '{"path": "a.jpg", "x": {"a": 1}}',
        '{"path": "a.jpg", "x": NaN}',
        '{"path": "a.jpg", "x": 1e999}',
        '{"path": "a.jpg", "x": 99999999999999999999}',
        '{"path": "a.jpg", "x": "\\ud800"}',
        '{"path": "a.jpg", "x": "\\u0000"}',
        '{"path": "a\\ud800.jpg"}',
        '{"path": "a\\u0000.jpg"}',
        '{"path": "a.jpg", "title": []}',
        '{"path": "a.jpg", "tags": ["a\\u0000"]}',
        '{"path": "a.jpg", "": 1}',
        "[" * 60_000,
        '{"path": "a.jpg", "x": ' + "9" * 5000 + "}",
    ],
)
def test_a_bad_json_line_fails_alone(root: Path, line: str):
    good = '{"path": "a.jpg"}'
    result = kinds(items(root, f"{good}\n{line}\n{good}\n", "jsonl"))
    assert [result[0], result[-1], len(result)] == ["ok", "ok", 3]
    assert result[1] in {"bad_row", "unsafe_name", "missing_file"}


def test_a_quote_that_is_never_closed_costs_one_row(root: Path):
    rows = "a.jpg,x\n" * 500
    assert kinds(items(root, f'path,title\na.jpg,"x\n{rows}')) == ["bad_row", *["ok"] * 500]


def test_every_line_with_an_open_quote_ends_in_time(root: Path):
    lines = [f'a.jpg,"{"x" * 50}' for _ in range(2000)]
    assert len(items(root, "path,title\n" + "\n".join(lines))) >= 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings_are_told_or_seen(root: Path, encoding: str):
    told = {"encoding": "cp1252"} if encoding == "cp1252" else {}
    (found,) = items(root, "path,title\r\na.jpg,Zoë\r\n".encode(encoding), **told)
    assert isinstance(found, Found)
    assert found.labels.title == "Zoë"


def test_lines_of_another_encoding_fail_alone(root: Path):
    text = "path,title\na.jpg,Zoë\nsub/b.jpg,Ann\n".encode("cp1252")
    assert kinds(items(root, text)) == ["bad_row", "ok"]


@pytest.mark.parametrize("text", ["", "\n", ",\n", "path,path\n", '"path\n', "\x00\n"])
def test_a_manifest_without_names_of_columns_is_told(root: Path, text: str):
    with pytest.raises(SourceError):
        items(root, text)


def test_without_a_folder_paths_lead_nowhere_and_urls_do():
    text = b"path\na.jpg\nhttp://pictures.example/1.jpg\n"
    assert codes(opened("manifest", text, format="csv", tools=TOOLS)) == ["missing_file", "ok"]


def test_paths_are_relative_to_a_manifest_of_this_server(root: Path):
    (root / "sub" / "list.csv").write_text("path\nb.jpg\n")
    source = opened("manifest", roots=[root], format="csv", path="sub/list.csv")
    assert codes(source) == ["ok"]


def test_reading_can_begin_anywhere(root: Path):
    text = io.StringIO()
    csv.writer(text).writerows([["path", "n"], *(["a.jpg", n] for n in range(10))])
    data = text.getvalue().encode()
    source = opened("manifest", data, roots=[root], tools=TOOLS, format="csv", folder=".")
    assert [attributes(one)["n"] for one in source.items(7)] == [7, 8, 9]

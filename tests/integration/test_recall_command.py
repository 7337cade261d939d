"""`lookalike recall`, alone and beside a running server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.program import Server, run, wait_for


def test_a_search_is_sampled_and_replayed_and_told(
    start: Callable[..., Server], data: Path, folder: Path
):
    run("import", folder, "--data", data)
    run("search", folder / "odd" / "1.jpg", "--data", data)
    told = run("recall", "--data", data, "--hours", "24")
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines() == [
        "No search of the last 24 hours was replayed.",
        "Waiting to be replayed: 1",
    ]
    server = start()
    wait_for(lambda: server.http.get("/recall").json()["overall"]["day"]["queries"] == 1)
    answer = json.loads(run("recall", "--data", data, "--json").stdout)
    [shape] = answer["shapes"]
    assert (shape["shape"], shape["recall"], shape["queries"]) == ("unfiltered", 1.0, 1)
    table = run("recall", "--url", server.url).stdout.splitlines()
    assert table[1].split() == ["unfiltered", "1.000", "1", "1.000"]


def test_wrong_use_ends_with_2(data: Path):
    assert run("recall", "--data", data, "--hours", "0").returncode == 2

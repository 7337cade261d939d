"""A random mix of imports, uploads, removals, builds, switches and kills ends with nothing lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.cluster import Servers, Worker
from tests.integration import builds
from tests.integration.scene import assert_nothing_lost, files
from tests.integration.test_random_faults import Faults, run_at_random
from tests.servers.processes import wait_until
from tests.unit.test_imports import zipped

RUNS = 2

BUILD_MOMENTS = ["build_feed", "build_measure", "build_switch", "build_drop"]

REFUSED = {400, 404, 409, 422, 503}
"""What cannot be done just now is refused with a reason; nothing may go wrong inside."""


class Builds(Faults):
    """Faults while indexes are built, switched, rolled back and retired.

    Of processes above all: `Faults` has the servers' own.
    """

    chosen = builds.SMALL
    lose_vectors = kill_broker = restart_database = change = None

    @initialize(number=st.integers(8, 24), ready=st.sampled_from([True, False]))
    def begin(self, number: int, ready: bool) -> None:
        self.upload(number, "interactive")
        self.start_worker("", 0)
        self.build("pixels", activate=False)
        wait_a_while(lambda: not ready or self.ids("ready"))

    @rule(number=st.integers(4, 24))
    def bring_in(self, number: int) -> None:
        parts = {"file": ("all.zip", zipped(files(number, self.uploaded)))}
        self.web.http.post("/imports", files=parts).raise_for_status()
        self.uploaded += number

    @rule(model=st.sampled_from(["pixels", "colors"]), activate=st.booleans())
    def build(self, model: str, activate: bool) -> None:
        plan = {"model": model, "activate": activate}
        answer = self.web.http.post("/indexes", json=plan)
        assert answer.status_code in {202, *REFUSED}, answer.text

    @rule(data=st.data())
    def switch(self, data: Any) -> None:
        """To an index that is ready. Lets a build come to its end, if nothing is in the way."""
        if not self.alive():
            self.start_worker("", 0)
        wait_a_while(lambda: self.ids("ready") or not self.alive())
        if ready := self.ids("ready"):
            self.ask(data.draw(st.sampled_from(ready)), "activate")

    @rule()
    def roll_back(self) -> None:
        """To an index that was live before."""
        found = builds.indexes(self.web.http)
        for one in [one for one in found if one["state"] == "ready" and one["live_at"]][:1]:
            self.ask(one["id"], "activate")

    @rule(data=st.data())
    def retire(self, data: Any) -> None:
        if others := self.ids("ready", "building"):
            self.ask(data.draw(st.sampled_from(others)), "retire")

    @rule(data=st.data(), what=st.sampled_from(["pause", "resume", "measure"]))
    def change_an_index(self, data: Any, what: str) -> None:
        self.ask(data.draw(st.sampled_from(self.ids("ready", "building", "live"))), what)

    def ids(self, *states: str) -> list[str]:
        """Indexes in these states."""
        return [one["id"] for one in builds.indexes(self.web.http) if one["state"] in states]

    def ask(self, index_id: str, what: str) -> None:
        if what == "retire":
            answer = self.web.http.delete(f"/indexes/{index_id}")
        else:
            url, body = f"/indexes/{index_id}/{what}", {"override": []}
            answer = self.web.http.post(url, json=body if what == "activate" else None)
        assert answer.status_code in {200, *REFUSED}, answer.text

    @precondition(lambda self: self.kept)
    @rule(data=st.data())
    def search(self, data: Any) -> None:
        chosen = data.draw(st.sampled_from(self.kept))
        answer = self.web.http.post("/search", json={"like": [chosen]})
        assert answer.status_code in {200, *REFUSED}, answer.text

    @precondition(lambda self: len(self.alive()) < 2)
    @rule(moment=st.sampled_from(BUILD_MOMENTS), passes=st.integers(0, 2))
    def start_builder(self, moment: str, passes: int) -> None:
        self.workers.append(self.cluster.worker(failpoints=f"{moment}=kill*{passes}"))

    def end(self, alive: Sequence[Worker]) -> None:
        """Nothing is lost in any index, and what was begun has come to its end."""
        http = self.web.http
        for one in builds.indexes(http):
            if one["paused"]:
                builds.change(http, one["id"], "resume")
        wait_until(self.imports_ended, "every import ends", 120)
        ids = [one["id"] for one in http.get("/images", params={"limit": 500}).json()["images"]]
        assert set(self.kept) <= set(ids), "an acknowledged picture is gone"
        builds.assert_in_each_index(http, ids)
        assert not [one for one in builds.indexes(http) if one["state"] in {"failed", "building"}]
        builds.assert_collections_fit(self.cluster, http)
        assert_nothing_lost(self.cluster, self.web, ids, deleted=self.removed, alive=alive)

    def imports_ended(self) -> bool:
        """Whether none is under way."""
        found = self.web.http.get("/imports").json()["imports"]
        return all(one["state"] in {"done", "failed"} for one in found)


def wait_a_while(condition: Callable[[], object]) -> None:
    """Wait until it holds, at most some seconds: what comes then comes in the middle of work."""
    for _ in range(100):
        if condition():
            return
        time.sleep(0.1)


def test_whatever_happens_to_builds_every_index_is_whole(servers: Servers, tmp_path: Path):
    run_at_random(Builds, servers, tmp_path, RUNS)

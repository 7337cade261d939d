"""A random mix of imports, uploads, removals, builds, switches and kills ends with nothing lost."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.cluster import Servers
from tests.integration import builds
from tests.integration.grounds import in_one_process, on_servers
from tests.integration.mix import SECONDS_A_RUN, asked_runs, happens, run_at_random, wait_a_while
from tests.integration.mix_of_imports import REFUSED, WithImports
from tests.integration.scene import files
from tests.integration.test_random_faults import OfProcesses
from tests.servers.processes import wait_until

RUNS = 2
"""A run takes a minute; see test_random_faults.py."""


class Builds(WithImports):
    """Indexes are built, switched, rolled back and retired, while pictures come and go."""

    moments = (*WithImports.moments, "build_feed", "build_measure", "build_switch", "build_drop")
    events = (
        *WithImports.events,
        "build",
        "switch",
        "roll_back",
        "retire",
        "pause_index",
        "resume_index",
        "measure_index",
        "search",
    )

    def __init__(self) -> None:
        super().__init__()
        self.expected.live.told.update(self.indexes("live"))

    @happens
    def build(self, dice: Random) -> None:
        plan = {"model": dice.choice(["pixels", "colors"]), "activate": dice.random() < 0.3}
        before = {one["id"] for one in self.shown_indexes()}
        answer = self.ask("POST", "/indexes", json=plan)
        assert answer is None or answer.status_code in {202, 409}, answer.text
        if plan["activate"]:  # without an answer it may have begun all the same
            began = {one["id"] for one in self.shown_indexes()} - before
            self.expected.live.waiting |= began
        self.happened["build"] += answer is not None and answer.status_code == 202

    @happens
    def switch(self, dice: Random) -> None:
        """To an index that was never live; one is built if there is none."""
        if not self.indexes("ready", "building", was_live=False):
            self.build(dice)
        self.let_builds_go_on()
        wait_a_while(lambda: self.activated(dice, was_live=False), 60)

    @happens
    def roll_back(self, dice: Random) -> None:
        """To an index that was live before."""
        if not self.indexes("ready", was_live=True):
            self.switch(dice)
        self.ground.work()
        wait_a_while(lambda: self.activated(dice, was_live=True), 30)

    @happens
    def retire(self, dice: Random) -> None:
        """Or give up a build."""
        if not self.indexes("ready", "building"):
            self.build(dice)
        for one in self.indexes("ready", "building")[:1]:
            answer = self.ask("DELETE", f"/indexes/{one}")
            assert answer is None or answer.status_code in {200, *REFUSED}, answer.text
            self.happened["retire"] += answer is not None and answer.status_code == 200

    @happens
    def pause_index(self, dice: Random) -> None:
        if not self.indexes("building"):
            self.build(dice)
        self.change_one(dice, "building", "pause")

    @happens
    def resume_index(self, dice: Random) -> None:
        self.change_one(dice, "building", "resume")

    @happens
    def measure_index(self, dice: Random) -> None:
        self.change_one(dice, dice.choice(["ready", "live"]), "measure")

    @happens
    def search(self, dice: Random) -> None:
        """The live index answers, if that picture is in it already."""
        before = self.indexes("live")
        answer = self.ask("POST", "/search", json={"like": [self.some_picture(dice)]})
        assert answer is None or answer.status_code in {200, *REFUSED}, answer.text
        if answer is not None and answer.status_code == 200:
            assert answer.json()["index"]["id"] in {*before, *self.indexes("live")}
            self.assert_live()
            self.happened["search"] += 1

    def activated(self, dice: Random, *, was_live: bool) -> bool:
        """Whether one of these indexes could be made the live one. It may be refused for now."""
        ready = self.indexes("ready", was_live=was_live)
        if not ready:
            return False
        chosen = dice.choice(ready)
        self.assert_live()
        switched = [one["id"] for one in self.shown_indexes() if one["live_at"] is not None]
        answer = self.ask("POST", f"/indexes/{chosen}/activate", json={"override": []})
        assert answer is None or answer.status_code in {200, *REFUSED}, answer.text
        done = answer is not None and answer.status_code == 200
        if done or answer is None or answer.status_code == 503:
            self.expected.live.tell(chosen, answered=done, switched=switched)
        self.assert_live()
        self.happened["roll_back" if was_live else "switch"] += done
        return done

    def assert_live(self) -> None:
        """The live index is what it was told to be, or has gone live by itself; searches use it."""
        before, used = self.indexes("live"), self.used()
        self.expected.live.assert_may_be(self.indexes("live"))
        assert used is None or used in {*before, *self.indexes("live")}, (used, before)

    def used(self) -> str | None:
        """The index that answers a search by an upload; None if none does just now."""
        [(name, picture)] = files(1).items()
        answer = self.ask("POST", "/search", files={"image": (name, picture)})
        assert answer is None or answer.status_code in {200, *REFUSED}, answer.text
        return answer.json()["index"]["id"] if answer and answer.status_code == 200 else None

    def change_one(self, dice: Random, state: str, what: str) -> None:
        """Do this to an index in that state, if there is one."""
        if found := self.indexes(state):
            answer = self.ask("POST", f"/indexes/{dice.choice(found)}/{what}")
            assert answer is None or answer.status_code in {200, *REFUSED}, answer.text
        self.happened[f"{what}_index"] += 1

    def let_builds_go_on(self) -> None:
        """See that nothing keeps a build from its end."""
        self.ground.work()
        for one in self.shown_indexes():
            if one["paused"]:
                self.ask("POST", f"/indexes/{one['id']}/resume")

    def indexes(self, *states: str, was_live: bool | None = None) -> list[str]:
        """Indexes in these states, all of them or only those that were live or never were."""
        return [
            one["id"]
            for one in self.shown_indexes()
            if one["state"] in states and was_live in {None, one["live_at"] is not None}
        ]

    def shown_indexes(self) -> list[dict[str, Any]]:
        """Every index, as the API shows it."""
        found: list[dict[str, Any]] = self.look("/indexes").json()["indexes"]
        return found

    def end(self) -> None:
        """Also, every build has come to its end, and every index has every picture."""
        self.let_builds_go_on()
        wait_until(lambda: not self.indexes("building"), "every build ends", 180)
        super().end()

    def assert_found(self, there: list[str]) -> None:
        """Also in each index, by its counts."""
        builds.assert_in_each_index(self.ground.http, there)
        assert not self.indexes("failed", "building")
        self.assert_live()
        self.assert_switched_by_themselves()
        self.ground.assert_collections_fit()
        super().assert_found(there)

    def assert_switched_by_themselves(self) -> None:
        """Whatever was to go live by itself did, or says why not, until it is measured again."""
        for one in self.shown_indexes():
            if one["state"] == "ready" and one["activate"]:
                assert one["message"] or one["measured_at"] > one["built_at"], one


class BuildsOnServers(Builds, OfProcesses):
    """And the web, other workers and the queue of servers are killed and lost one by one."""

    events = (*Builds.events, "kill_web", "empty_broker")


@pytest.mark.timeout(SECONDS_A_RUN * asked_runs(RUNS))
def test_whatever_happens_to_builds_every_index_is_whole(servers: Servers, tmp_path: Path):
    make_ground = partial(on_servers, servers, **builds.SMALL)
    run_at_random(BuildsOnServers, make_ground, tmp_path, RUNS)


@pytest.mark.timeout(SECONDS_A_RUN * asked_runs(RUNS))
def test_whatever_happens_to_builds_in_one_process_every_index_is_whole(tmp_path: Path):
    run_at_random(Builds, partial(in_one_process, **builds.SMALL), tmp_path, RUNS)

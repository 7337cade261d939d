"""Events in a random order, on a platform that is killed meanwhile, and a book of what must be.

Each run begins with every kind of event once, in an order drawn for it; then come more of them.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import httpx
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.integration.expected import Expected
from tests.integration.grounds import Ground, MakeGround
from tests.integration.scene import files
from tests.servers.processes import wait_until

DICE = st.randoms(use_true_random=True)
"""An event draws from dice of its own: hypothesis wants the same questions whatever happened."""

MOMENTS = ["after_receive", "after_decode", "after_embed", "after_upsert", "after_commit"]

SECONDS_A_RUN = 300
"""At most, on a machine that is busy."""

TRIES = 3
"""How often each kind of event is tried at the beginning of a run."""

happens = rule(dice=DICE)


class Mix(RuleBasedStateMachine):
    """What happens on every ground: pictures come, change and go; processes are killed."""

    make_ground: MakeGround
    folder: Path
    happened: Counter[str]
    runs = count()
    moments: ClassVar[Sequence[str]] = MOMENTS
    events: ClassVar[Sequence[str]] = (
        "upload",
        "change",
        "remove",
        "kill_worker",
        "stop_worker",
        "start_doomed_worker",
        "kill_web_while_uploading",
    )

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        place = self.folder / f"run-{next(self.runs)}"
        place.mkdir()
        self.ground: Ground = self.stack.enter_context(self.make_ground(place))
        self.expected = Expected()

    @initialize(dice=DICE)
    def begin(self, dice: Random) -> None:
        """Pictures, a worker, and then each kind of event."""
        self.ground.work()
        self.upload(dice)
        for name in dice.sample(self.events, len(self.events)):
            self.let_happen(name, dice)

    def let_happen(self, name: str, dice: Random) -> None:
        """Try an event until it has happened: what is down just then may refuse it."""
        before = self.happened[name]
        for _ in range(TRIES):
            print(f"{name}, at {time.monotonic():.1f}")
            getattr(self, name)(dice)
            if self.happened[name] > before:
                return

    @happens
    def upload(self, dice: Random) -> None:
        numbers = self.numbers(dice)
        queue = {"queue": dice.choice(["interactive", "bulk"])}
        self.expected.offer(numbers)
        self.settle_upload(numbers, self.ask("POST", "/images", files=parts(numbers), data=queue))
        self.happened["upload"] += 1

    @happens
    def change(self, dice: Random) -> None:
        picture_id, tag = self.some_picture(dice), dice.choice(["sea", "hill"])
        answer = self.ask("PATCH", f"/images/{picture_id}", json={"tags": [tag]})
        self.expected.tags.pop(picture_id, None)
        if answer is not None and answer.status_code == 200:
            self.expected.tags[picture_id] = tag
            self.happened["change"] += 1
        else:
            assert answer is None or answer.status_code in {404, 503}, answer.text

    @happens
    def remove(self, dice: Random) -> None:
        picture_id = self.some_picture(dice)
        number, states = self.pictures().get(picture_id, -1), self.import_states()
        answer = self.ask("DELETE", f"/images/{picture_id}")
        assert answer is None or answer.status_code in {204, 404, 503}, answer.text
        if self.look(f"/images/{picture_id}").status_code == 404:
            self.expected.remove(number, picture_id, states)
            self.happened["remove"] += 1

    @happens
    def kill_worker(self, dice: Random) -> None:
        """With something in hand, most likely."""
        self.ground.work()
        self.upload(dice)
        time.sleep(dice.choice([0, 0.2, 0.5]))
        self.ground.kill_worker()
        self.happened["kill_worker"] += 1

    @happens
    def stop_worker(self, dice: Random) -> None:
        self.ground.work()
        self.upload(dice)
        self.ground.stop_worker()
        self.happened["stop_worker"] += 1

    @happens
    def start_doomed_worker(self, dice: Random) -> None:
        self.ground.doom(dice.choice(self.moments), dice.randint(0, 2))
        self.happened["start_doomed_worker"] += 1

    @happens
    def kill_web_while_uploading(self, dice: Random) -> None:
        """What was acknowledged is kept; what was not may be there, as a whole."""
        numbers, seconds = self.numbers(dice), dice.choice([0.1, 0.2, 0.3, 0.5])
        self.expected.offer(numbers)
        with ThreadPoolExecutor(1) as threads:
            sent = threads.submit(answer_of, self.ground.http, numbers)
            time.sleep(seconds)
            self.happened["kill_web_while_uploading"] += not sent.done()
            self.ground.kill_web()
            answer = sent.result(60)
        self.ground.start_web()
        self.settle_upload(numbers, answer)

    def settle_upload(self, numbers: Sequence[int], answer: httpx.Response | None) -> None:
        """Note what became of an upload, without an answer too."""
        if answer is None:
            self.expected.unanswered.update(numbers)
            return
        assert answer.status_code == 202, answer.text
        ids = [one["id"] for one in answer.json()["images"]]
        self.expected.acknowledge(numbers, ids)

    def numbers(self, dice: Random, most: int = 24) -> range:
        """Pictures that nobody has brought before, or some that somebody has, or both."""
        first = dice.choice([self.expected.fresh, dice.randint(0, self.expected.fresh)])
        return range(first, first + dice.randint(1, most))

    def some_picture(self, dice: Random) -> str:
        """Any picture that is there; one is brought if there is none."""
        if not self.pictures():
            self.upload(dice)
        return dice.choice(sorted(self.pictures()) or ["00000000-0000-0000-0000-000000000000"])

    def pictures(self) -> dict[str, int]:
        """The number of every picture that is there, by its id."""
        found: dict[str, int] = {}
        cursor: dict[str, str] = {}
        while True:
            page = self.look("/images", limit=500, **cursor).json()
            found |= {one["id"]: int(one["filename"].split(".")[0]) for one in page["images"]}
            if not page["next_cursor"]:
                return found
            cursor = {"cursor": page["next_cursor"]}

    def import_states(self) -> dict[str, str]:
        """The state of every import, by its id."""
        return {one["id"]: one["state"] for one in self.look("/imports").json()["imports"]}

    def ask(self, method: str, url: str, **content: Any) -> httpx.Response | None:
        """The answer; None if the platform was killed before it gave one. Then it runs again."""
        try:
            return self.ground.http.request(method, url, **content)
        except httpx.TransportError:
            self.ground.revive()
            return None

    def look(self, url: str, **params: Any) -> httpx.Response:
        """The answer to a question, which can be asked again."""
        answer = self.ask("GET", url, params=params) or self.ask("GET", url, params=params)
        assert answer is not None
        return answer

    def teardown(self) -> None:
        with self.stack:
            if sys.exception() is None:  # or else what has gone wrong is known
                self.ground.finish()
                self.end()
                self.happened["end"] += 1

    def end(self) -> None:
        """What must be true when everything runs again."""
        wait_until(lambda: "pending" not in self.states(), "every picture is indexed", 180)
        there = self.pictures()
        self.expected.assert_fits(there, self.import_states())
        assert set(self.states()) <= {"indexed"}
        self.assert_found(sorted(there))
        for picture_id in self.expected.removed:
            assert self.look(f"/images/{picture_id}").status_code == 404
        for picture_id, tag in self.expected.tags.items():
            assert picture_id not in there or self.tags(picture_id) == [tag]
        self.ground.assert_alive()
        self.assert_sound(set(there.values()))

    def assert_found(self, there: Sequence[str]) -> None:
        """A search finds each of these, and nothing else, once lost vectors are made again."""
        if there:
            wait_until(lambda: self.found(there[0]) == sorted(there), "all is found", 120)

    def found(self, picture_id: str) -> list[str]:
        """This picture and all that a search by it finds."""
        query = {"like": [picture_id], "limit": 1000, "exact": True}
        answer = self.ask("POST", "/search", json=query)
        found = answer.json()["results"] if answer and answer.status_code == 200 else []
        return sorted([picture_id, *(one["image"]["id"] for one in found)])

    def assert_sound(self, numbers: set[int]) -> None:
        """A check finds nothing but originals that were on their way at a kill, and mends that."""
        allowed = {digest(number) for number in set(range(self.expected.fresh)) - numbers}
        code, differences = self.ground.check()
        strange = [one for one in differences if not is_left_over(one, allowed)]
        assert (code, strange) == (1 if differences else 0, []), strange
        if differences:
            self.happened["repair"] += 1
            assert self.ground.check("--repair")[0] == 0
            assert self.ground.check() == (0, [])

    def states(self) -> list[str]:
        """The state of every picture."""
        counts = self.look("/status").json()["images"]
        return [state for state, pictures in counts.items() if pictures]

    def tags(self, picture_id: str) -> list[str]:
        """The tags of a picture."""
        found: list[str] = self.look(f"/images/{picture_id}").json()["tags"]
        return found


def is_left_over(difference: dict[str, Any], allowed: set[str]) -> bool:
    """Whether this is an original whose upload or import came to no end."""
    return difference["kind"] == "orphan_original" and difference["id"] in allowed


def answer_of(http: httpx.Client, numbers: Sequence[int]) -> httpx.Response | None:
    """The answer to an upload, if it comes."""
    try:
        return http.post("/images", files=parts(numbers))
    except httpx.TransportError:
        return None


def parts(numbers: Sequence[int]) -> list[tuple[str, tuple[str, bytes]]]:
    """The pictures of these numbers, as the parts of an upload."""
    return [("file", item) for item in files(len(numbers), numbers[0]).items()]


def digest(number: int) -> str:
    """The SHA-256 of a picture."""
    [data] = files(1, number).values()
    return hashlib.sha256(data).hexdigest()


def wait_a_while(condition: Callable[[], object], seconds: float = 10) -> None:
    """Wait until it holds, at most so long: what comes then comes in the middle of work."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)


def asked_runs(runs: int) -> int:
    """So many runs, or as many as FAULT_RUNS says."""
    return int(os.environ.get("FAULT_RUNS") or runs)


def run_at_random(machine: type[Mix], make_ground: MakeGround, folder: Path, runs: int) -> None:
    """Let it happen, from the beginning, so many times; each kind of event at least once."""
    happened: Counter[str] = Counter()
    here = {"make_ground": staticmethod(make_ground), "folder": folder, "happened": happened}
    run_state_machine_as_test(
        type("Here", (machine,), here),
        settings=settings(
            max_examples=asked_runs(runs),
            stateful_step_count=8,
            deadline=None,
            derandomize="FAULT_RUNS" not in os.environ,  # the same, unless somebody looks
            phases=[Phase.generate],  # a run takes half a minute: it is told, not shrunk
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(dict(happened))
    assert happened["end"] >= asked_runs(runs)
    assert [name for name in machine.events if not happened[name]] == [], "these never happened"

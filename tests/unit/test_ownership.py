"""One process owns a data folder; others learn who it is; a killed owner owns nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from lookalike.services.errors import BusyError, ConfigurationError
from lookalike.services.ownership import LOCK_FILE, Owner, Ownership, owner_of

UNKNOWN = 0
"""The process id of an owner that is just writing, or wiping, its name."""

HOLD = """
import sys, time
from pathlib import Path
from lookalike.services.ownership import Ownership
held = Ownership(Path(sys.argv[1]), "lookalike up")
held.announce("http://127.0.0.1:8123")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def another_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that owns the folder until its input ends or it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def owning(folder: Path) -> Iterator[Ownership]:
    """This process owns the folder for the length of the block."""
    held = Ownership(folder, "test")
    try:
        yield held
    finally:
        held.release()


def test_nobody_owns_a_folder_that_does_not_exist(tmp_path: Path):
    assert owner_of(tmp_path / "nothing") is None


def test_taking_a_folder_makes_it(tmp_path: Path):
    with owning(tmp_path / "a" / "b"):
        assert owner_of(tmp_path / "a" / "b") == Owner(os.getpid(), "test", None)


def test_a_released_folder_is_free_and_tells_nothing(tmp_path: Path):
    held = Ownership(tmp_path, "test")
    held.announce("http://127.0.0.1:1")
    held.release()
    held.release()
    assert owner_of(tmp_path) is None
    assert (tmp_path / LOCK_FILE).read_text() == ""


def test_asking_does_not_take_it(tmp_path: Path):
    Ownership(tmp_path, "test").release()
    assert owner_of(tmp_path) is None
    with owning(tmp_path):
        assert owner_of(tmp_path) is not None
        assert owner_of(tmp_path) is not None


def test_another_process_is_named_with_its_address(tmp_path: Path):
    with another_process(tmp_path) as process:
        expected = Owner(process.pid, "lookalike up", "http://127.0.0.1:8123")
        assert owner_of(tmp_path) == expected
        with pytest.raises(BusyError) as caught:
            Ownership(tmp_path, "lookalike up")
    for part in (str(tmp_path), str(process.pid), "`lookalike up`", "http://127.0.0.1:8123"):
        assert part in caught.value.message
    assert caught.value.details == {"pid": process.pid, "url": "http://127.0.0.1:8123"}


def test_a_refused_attempt_changes_nothing_for_the_holder(tmp_path: Path):
    with another_process(tmp_path) as process:
        for _ in range(3):
            with pytest.raises(BusyError):
                Ownership(tmp_path, "late")
        owner = owner_of(tmp_path)
    assert owner is not None
    assert owner.pid == process.pid


def test_a_killed_owner_has_let_go(tmp_path: Path):
    with another_process(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        assert owner_of(tmp_path) is None
        with owning(tmp_path):
            assert owner_of(tmp_path) == Owner(os.getpid(), "test", None)


def test_announcing_again_replaces_the_address_even_by_a_shorter_one(tmp_path: Path):
    with owning(tmp_path) as held:
        held.announce("http://127.0.0.1:" + "1" * 50)
        held.announce("http://[::1]:80")
        owner = owner_of(tmp_path)
    assert owner is not None
    assert owner.url == "http://[::1]:80"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"other": 1}'])
def test_an_owner_that_is_just_writing_its_name_still_counts(tmp_path: Path, text: str):
    with owning(tmp_path):
        (tmp_path / LOCK_FILE).write_text(text)
        owner = owner_of(tmp_path)
        assert owner is not None
        assert owner.url is None
        with pytest.raises(BusyError):
            Ownership(tmp_path, "late")


def test_a_folder_that_cannot_be_made_is_a_matter_of_configuration(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="--data"):
        Ownership(tmp_path / "file" / "data", "test")


def test_those_who_only_ask_are_never_taken_for_owners(tmp_path: Path):
    Ownership(tmp_path, "test").release()
    done = threading.Event()
    seen: list[Owner | None] = []

    def ask() -> None:
        while not done.is_set():
            seen.append(owner_of(tmp_path))

    with ThreadPoolExecutor(2) as pool:
        askers = [pool.submit(ask) for _ in range(2)]
        try:
            for _ in range(300):
                Ownership(tmp_path, "test").release()
        finally:
            done.set()
    for asker in askers:
        asker.result()
    assert {owner.pid for owner in seen if owner} <= {os.getpid(), UNKNOWN}


def test_many_who_ask_at_once_do_not_take_each_other_for_the_owner(tmp_path: Path):
    Ownership(tmp_path, "test").release()
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(owner_of, [tmp_path] * 800)) == {None}


def test_what_a_killed_owner_was_just_starting_is_waited_for(tmp_path: Path):
    """A child between fork and exec holds the lock on, for as long as it lives."""
    script = f"""
import os, sys, time
from pathlib import Path
from lookalike.services.ownership import Ownership
held = Ownership(Path(sys.argv[1]), "lookalike up")
if os.fork() == 0:
    time.sleep(1)
    os._exit(0)
print("held", flush=True)
os.kill(os.getpid(), {int(signal.SIGKILL)})
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    process.wait(10)
    with owning(tmp_path):
        assert owner_of(tmp_path) == Owner(os.getpid(), "test", None)

"""How much main memory a process and those below it hold."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from lookalike.services.memory import held_memory

MEBIBYTE = 1024 * 1024
HELD = 64 * MEBIBYTE
HOLDS = f"held = bytearray(b'x' * {HELD}); print('ready', flush=True); input()"
CALLS = (
    "import subprocess, sys\n"
    f"subprocess.run([sys.executable, '-c', {HOLDS!r}])\n"  # it answers through this one's pipes
)


@contextmanager
def started(program: str) -> Iterator[psutil.Process]:
    """A process below this one, once it says that it is ready."""
    command = [sys.executable, "-c", program]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield psutil.Process(process.pid)
        process.communicate("\n", timeout=60)


def held() -> int:
    """As promised, and known."""
    found = held_memory()
    assert found is not None
    return found


def test_memory_grows_with_what_is_held():
    before = held()
    taken = bytearray(b"x" * HELD)
    assert held() - before > len(taken) / 2


@pytest.mark.parametrize("program", [HOLDS, CALLS], ids=["below", "two below"])
def test_what_processes_below_hold_counts_as_long_as_they_are_there(program: str):
    before = held()
    with started(program):
        assert HELD <= held() - before < 2 * HELD
    assert held() - before < HELD / 2


def test_another_process_is_told_of_as_well():
    with started(CALLS) as below:
        found = held_memory(below.pid)
        assert found is not None
        assert HELD < found < 2 * HELD
    assert held_memory(below.pid) is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is shared")
def test_what_is_shared_with_processes_below_counts_once():
    with started(CALLS) as top:
        [below] = top.children()
        apart = top.memory_info().rss + below.memory_info().rss
        found = held_memory(top.pid)
        assert found is not None
        assert found <= apart - below.memory_info().shared + MEBIBYTE
        assert below.memory_info().shared > MEBIBYTE


def test_a_process_that_ends_while_it_is_looked_at_counts_nothing(
    monkeypatch: pytest.MonkeyPatch,
):
    children = psutil.Process.children

    def gone(self: psutil.Process, recursive: bool = False) -> list[psutil.Process]:
        with started(HOLDS):
            return children(self, recursive)

    monkeypatch.setattr(psutil.Process, "children", gone)
    assert held() > 0


def test_where_the_system_tells_nothing_it_is_not_known(monkeypatch: pytest.MonkeyPatch):
    def refused(self: psutil.Process) -> None:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil.Process, "memory_info", refused)
    assert held_memory() is None

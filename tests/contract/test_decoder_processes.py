"""Real processes that crash, hang, eat memory and are killed: nobody else is harmed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from PIL import Image

from lookalike.services.adapters.decoding import children
from lookalike.services.adapters.decoding.processes import DOUBT, ProcessDecoder
from lookalike.services.errors import PictureError, UnavailableError
from lookalike.services.priority import STEPS
from tests import faulty_jobs
from tests.factories import LIMITS, picture, saved
from tests.program import wait_for

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="memory limits and the death of orphans are Linux's"
)

SECONDS = 2.0
MEGABYTES = 300
PICTURE = picture(0, (64, 48))
LARGE = saved(Image.new("1", (5_001, 5_000)), "PNG")


OTHERS: set[int] = set()


@pytest.fixture(autouse=True)
def _others() -> None:
    """Processes that tests of other files have left are none of this file's."""
    OTHERS.clear()
    OTHERS.update(one.pid for one in alive())


@pytest.fixture
def decoder() -> Iterator[ProcessDecoder]:
    made = ProcessDecoder(LIMITS, 2, SECONDS, MEGABYTES)
    yield made
    made.close()


def alive(parent: int | None = None) -> list[psutil.Process]:
    """The processes below `parent`, or this one, that decode."""
    below = psutil.Process(parent).children(recursive=True)
    return [one for one in below if one.pid not in OTHERS and _decodes(one)]


def _decodes(process: psutil.Process) -> bool:
    try:
        return children.MODULE in process.cmdline()
    except psutil.Error:  # it is gone by now
        return False


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def outcome(decoder: ProcessDecoder, data: bytes) -> str:
    """The code of the failure, or `good`."""
    try:
        made = decoder.run(faulty_jobs.thumbnail_or_harm, data)
    except PictureError as error:
        return error.code
    return "good" if made.startswith(b"\xff\xd8") else "nonsense"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (b"crash", "decoder_crashed"),
        (b"hang", "decode_timeout"),
        (b"loop", "decode_timeout"),
        (b"eat", "too_much_memory"),
    ],
)
def test_a_fault_concerns_its_own_picture_alone(decoder: ProcessDecoder, fault: bytes, code: str):
    pictures = [picture(seed, (64, 48)) for seed in range(20)]
    pictures.insert(7, PICTURE + fault)
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda data: outcome(decoder, data), pictures))
    assert outcomes == ["good"] * 7 + [code] + ["good"] * 13
    assert len(alive()) <= 2


def test_several_faults_at_once_are_each_told_apart(decoder: ProcessDecoder):
    faults = [b"crash", b"hang", b"", b"eat", b"crash", b""]
    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(lambda fault: outcome(decoder, PICTURE + fault), faults))
    assert outcomes == [
        *("decoder_crashed", "decode_timeout", "good"),
        *("too_much_memory", "decoder_crashed", "good"),
    ]


def test_a_neighbour_in_flight_goes_on_in_its_own_process(decoder: ProcessDecoder, tmp_path: Path):
    marker = tmp_path / "go"
    with ThreadPoolExecutor(1) as pool:
        neighbour = pool.submit(decoder.run, faulty_jobs.wait_for, PICTURE, str(marker))
        until(lambda: list(tmp_path.iterdir()))
        assert outcome(decoder, PICTURE + b"crash") == "decoder_crashed"
        marker.touch()
        assert neighbour.result() == int(next(tmp_path.glob("go.*")).suffix[1:])


def test_a_picture_whose_process_is_killed_once_is_tried_again(decoder, tmp_path: Path):
    made = decoder.run(faulty_jobs.crash_once, PICTURE, str(tmp_path / "tried"))
    assert made == decoder.make_thumbnail(PICTURE, 64)


def test_a_process_killed_between_two_pictures_is_replaced(decoder: ProcessDecoder):
    first = decoder.run(faulty_jobs.pid, PICTURE)
    os.kill(first, signal.SIGKILL)
    until(lambda: not alive())
    assert decoder.run(faulty_jobs.pid, PICTURE) != first


def test_large_pictures_are_decoded_one_at_a_time_and_small_ones_are_not(decoder: ProcessDecoder):
    def overlaps(data: bytes) -> bool:
        with ThreadPoolExecutor(2) as pool:
            jobs = [pool.submit(decoder.run, faulty_jobs.interval, data, 0.3) for _ in range(2)]
            (_, first), (second, _) = sorted(job.result() for job in jobs)
        return second < first

    with ThreadPoolExecutor(2) as pool:  # both processes are there
        list(pool.map(lambda _: decoder.run(faulty_jobs.interval, PICTURE, 0.3), range(2)))
    assert overlaps(PICTURE)
    assert not overlaps(LARGE)


def test_a_large_picture_that_waits_for_its_turn_does_not_run_out_of_time(decoder: ProcessDecoder):
    with ThreadPoolExecutor(3) as pool:
        jobs = [pool.submit(decoder.run, faulty_jobs.interval, LARGE, 0.8) for _ in range(3)]
        assert len([job.result() for job in jobs]) == 3


def test_nothing_is_started_before_it_is_needed(decoder: ProcessDecoder):
    assert alive() == []
    decoder.warm()
    decoder.warm()
    wait_for(lambda: len(alive()) == 1)  # a process has its name a moment after it is there
    decoder.make_thumbnail(PICTURE, 64)
    assert len(alive()) == 1


def test_a_process_is_confined_and_has_loaded_nothing_but_decoders(decoder: ProcessDecoder):
    found = decoder.run(faulty_jobs.surroundings, PICTURE)
    assert found["leader"]
    assert found["core"] == (0, 0)
    assert found["sacrifice"] == "1000"
    assert MEGABYTES * 1e6 < found["memory"] < 3e9
    assert Path(found["main"]).name == "child.py"
    heavy = {"torch", "openvino", "flask", "celery", "sqlalchemy", "qdrant_client", "pytest"}
    assert not heavy & found["modules"]
    assert "PIL.JpegImagePlugin" in found["modules"]


@pytest.mark.parametrize(("background", "steps"), [(True, STEPS), (False, 0)])
def test_only_in_the_background_it_steps_back(background: bool, steps: int):
    with closing(ProcessDecoder(LIMITS, 1, background=background)) as decoder:
        child = decoder.run(faulty_jobs.pid, PICTURE)
        assert os.getpriority(os.PRIO_PROCESS, child) == os.getpriority(os.PRIO_PROCESS, 0) + steps


def test_a_process_is_replaced_after_many_pictures(decoder: ProcessDecoder, monkeypatch):
    monkeypatch.setattr(children, "MAX_TASKS", 3)
    pids = [decoder.run(faulty_jobs.pid, PICTURE) for _ in range(7)]
    assert [pids.count(one) for one in dict.fromkeys(pids)] == [3, 3, 1]
    assert len(alive()) == 1


def test_a_mistake_of_our_own_is_no_picture_error_and_says_where(decoder: ProcessDecoder):
    before = decoder.run(faulty_jobs.pid, PICTURE)
    with pytest.raises(RuntimeError, match=r"(?s)faulty_jobs.*a bug"):
        decoder.run(faulty_jobs.fail, PICTURE)
    assert decoder.run(faulty_jobs.pid, PICTURE) == before


def test_where_not_even_a_good_picture_can_be_decoded_pictures_are_not_blamed_for_ever():
    starved = ProcessDecoder(LIMITS, 1, SECONDS, megabytes=8)
    large = picture(0, (2000, 1500), format="PNG")
    for _ in range(DOUBT - 1):
        assert outcome(starved, large) == "too_much_memory"
    for _ in range(2):
        with pytest.raises(UnavailableError, match="not even a good one"):
            outcome(starved, large)
    assert outcome(starved, picture(0, (32, 32))) == "good"
    assert outcome(starved, large) == "too_much_memory"
    starved.close()


def test_many_bad_pictures_in_a_row_are_all_blamed_while_a_good_one_can_be_decoded(decoder):
    outcomes = {outcome(decoder, PICTURE + b"eat") for _ in range(DOUBT + 2)}
    assert outcomes == {"too_much_memory"}


def test_processes_that_do_not_start_make_decoding_unavailable(decoder, monkeypatch):
    monkeypatch.setattr(children, "MODULE", "lookalike.nowhere")
    for _ in range(DOUBT + 1):
        with pytest.raises(UnavailableError, match="did not start"):
            decoder.make_thumbnail(PICTURE, 64)
    monkeypatch.undo()
    assert decoder.make_thumbnail(PICTURE, 64)


def test_closing_is_quick_leaves_no_process_and_tells_those_who_wait(decoder: ProcessDecoder):
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(outcome, decoder, PICTURE + b"hang") for _ in range(4)]
        until(lambda: len(alive()) == 2)
        time.sleep(0.5)
        began = time.monotonic()
        decoder.close()
        assert time.monotonic() - began < 2
        assert {type(failure(one)) for one in waiting} == {UnavailableError}
    assert alive() == []
    with pytest.raises(UnavailableError, match="being stopped"):
        decoder.make_thumbnail(PICTURE, 64)


def failure(job: Future[str]) -> BaseException | None:
    return job.exception(timeout=5)


FORKING = """
import os
from lookalike.services.adapters.decoding.processes import ProcessDecoder
from lookalike.services.errors import UnavailableError
from tests.contract.test_decoder_processes import LIMITS, PICTURE

unused, used = ProcessDecoder(LIMITS, 1), ProcessDecoder(LIMITS, 1)
used.make_thumbnail(PICTURE, 64)
if child := os.fork():
    used.make_thumbnail(PICTURE, 64)
    raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
try:
    used.make_thumbnail(PICTURE, 64)
except UnavailableError:
    unused.make_thumbnail(PICTURE, 64)
    os._exit(42)
os._exit(1)
"""


def test_a_fork_never_takes_answers_that_are_not_for_it():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", FORKING]
    assert subprocess.run(command, env=environment, timeout=60, check=False).returncode == 42


PARENT = """
import sys, threading
from lookalike.services.adapters.decoding.processes import ProcessDecoder
from tests import faulty_jobs
from tests.contract.test_decoder_processes import LIMITS, PICTURE

decoder = ProcessDecoder(LIMITS, 3)
decoder.run(faulty_jobs.pid, PICTURE)
for fault in (b"hang", b"loop"):
    job = (faulty_jobs.thumbnail_or_harm, PICTURE + fault)
    threading.Thread(target=decoder.run, args=job, daemon=True).start()
sys.stdin.read()
"""


def test_no_process_outlives_the_one_that_started_it():
    with subprocess.Popen(
        [sys.executable, "-c", PARENT],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
    ) as parent:
        until(lambda: len(alive(parent.pid)) == 2)
        below = alive(parent.pid)
        until(lambda: any(one.cpu_times().user > 0.2 for one in below))
        parent.kill()
        parent.wait(5)
        _, left = psutil.wait_procs(below, timeout=5)
        assert left == []

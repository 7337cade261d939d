"""Imports: which files are taken, and what becomes of each, over the real API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from lookalike.cli import transfer
from lookalike.cli.client import ApiError, Client
from lookalike.cli.transfer import Outcome, Transfer, find_pictures
from lookalike.services.errors import UnavailableError
from lookalike.services.pictures import Selection
from lookalike.web.app import create_app
from tests.factories import ODD
from tests.platforms import OUTAGE, World, small


class Clock:
    """Time that passes only by waiting, and what is done meanwhile."""

    def __init__(self) -> None:
        self.now = 0.0
        self.meanwhile: Callable[[], object] = bool

    def monotonic(self) -> float:
        """As `time.monotonic`."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """As `time.sleep`."""
        self.now += seconds
        self.meanwhile()


@pytest.fixture
def clock(world: World, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Workers index while the import waits."""
    clock = Clock()
    clock.meanwhile = world.step
    monkeypatch.setattr(transfer, "time", clock)
    return clock


@pytest.fixture
def http(world: World) -> Iterator[Client]:
    """A client of the real app, without sockets."""
    transport = httpx.WSGITransport(app=create_app(world.platform))
    with httpx.Client(transport=transport, base_url="http://localhost") as http:
        yield Client(http)


@pytest.fixture
def run(http: Client, clock: Clock) -> Callable[..., Outcome]:
    """Import these files."""

    def go(files: list[Path], library: str = "main", **options) -> Outcome:
        options.setdefault("on_progress", bool)
        return Transfer(http, library, options.pop("tags", []), **options).run(files)

    return go


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., list[Path]]:
    """Write files by name."""

    def write(**files: bytes) -> list[Path]:
        paths = [tmp_path / f"{name}.jpg" for name in files]
        for path, data in zip(paths, files.values(), strict=True):
            path.write_bytes(data)
        return paths

    return write


def scenes(count: int) -> dict[str, bytes]:
    return {f"scene{seed}": small(seed) for seed in range(count)}


def counts(outcome: Outcome) -> tuple[int, int, int, int]:
    return outcome.found, outcome.indexed, outcome.duplicates, len(outcome.failures)


def test_folders_give_what_is_named_like_a_picture_at_any_depth_in_order(tmp_path: Path):
    for name in ("b.JPG", "a.png", "deep/er/c.heic", "notes.txt", ".hidden.jpg", ".git/d.jpg", "e"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    taken, skipped = find_pictures([tmp_path])
    assert [str(path.relative_to(tmp_path)) for path in taken] == [
        "a.png",
        "b.JPG",
        "deep/er/c.heic",
    ]
    assert skipped == 2


def test_files_that_are_named_are_always_taken(tmp_path: Path):
    odd = tmp_path / ".odd"
    assert find_pictures([odd, tmp_path]) == ([odd], 0)


def test_a_folder_that_is_reached_by_a_dotted_path_is_not_hidden(tmp_path: Path):
    inside = tmp_path / ".cache" / "pictures"
    inside.mkdir(parents=True)
    (inside / "a.jpg").touch()
    assert find_pictures([inside]) == ([inside / "a.jpg"], 0)


def test_every_file_ends_indexed_with_library_and_tags(run, folder, world: World):
    world.platform.libraries.create("attic")
    outcome = run(folder(**scenes(5)), "attic", tags=["new", "a"])
    assert counts(outcome) == (5, 5, 0, 0)
    shown = world.platform.pictures.list(Selection(library="attic", tag="new"), 10).pictures
    assert {one.picture.filename for one in shown} == {f"scene{n}.jpg" for n in range(5)}
    assert {one.picture.tags for one in shown} == {("a", "new")}


def test_importing_again_stores_nothing_new(run, folder):
    files = folder(**scenes(3))
    first, second = run(files), run(files)
    assert counts(second) == (3, 3, 3, 0)
    assert second.import_id != first.import_id


def test_it_is_an_import_that_can_be_undone(run, folder, world: World):
    world.indexed(small(0))
    outcome = run(folder(**scenes(3)))
    imports, import_id = world.platform.imports, UUID(outcome.import_id or "")
    row = imports.get(import_id).row
    assert (row.state, row.new, row.duplicate, row.total) == ("done", 2, 1, 3)
    imports.undo(import_id)
    world.carry()
    assert imports.get(import_id).row.removed == 2
    assert len(world.platform.pictures.list(Selection(), 10).pictures) == 1


def test_each_failure_names_its_file_and_the_rest_goes_on(run, folder, tmp_path: Path):
    files = folder(
        good=small(1), text=b"text", half=ODD["jpeg_truncated"].data, empty=b"", last=small(2)
    )
    outcome = run([*files, tmp_path / "missing.jpg"])
    assert outcome.indexed == 2
    told = {Path(one.file).stem: one.code for one in outcome.failures}
    assert told == {
        "text": "not_an_image",
        "half": "truncated",
        "empty": "empty_file",
        "missing": "missing_file",
    }
    assert all(one.message.endswith(".") for one in outcome.failures)


def test_a_request_of_nothing_but_bad_files_is_told_file_by_file(run, folder):
    outcome = run(folder(a=b"text", b=b""))
    assert [one.code for one in outcome.failures] == ["not_an_image", "empty_file"]


def test_copies_of_a_good_picture_are_all_searchable(run, folder):
    assert counts(run(folder(a=small(), b=small(), c=small()))) == (3, 3, 2, 0)


def test_copies_of_a_broken_picture_all_fail(run, folder):
    broken = ODD["jpeg_truncated"].data
    outcome = run(folder(a=broken, b=broken))
    assert outcome.indexed == 0
    assert [Path(one.file).stem for one in outcome.failures] == ["a", "b"]


@pytest.mark.parametrize(
    ("limit", "value", "sizes"),
    [("MAX_FILES", 2, [2, 2, 1]), ("MAX_BYTES", 5000, [2, 2, 1]), ("MAX_BYTES", 1, [1] * 5)],
)
def test_requests_carry_a_bounded_number_of_files_and_bytes(
    run, folder, http: Client, monkeypatch, limit: str, value: int, sizes: list[int]
):
    sent: list[int] = []
    send = http.send_files

    def watched(
        import_id: str, position: int, items: list[dict[str, str]], files: object
    ) -> object:
        sent.append(len(items))
        return send(import_id, position, items, files)

    monkeypatch.setattr(transfer, limit, value)
    monkeypatch.setattr(http, "send_files", watched)
    files = {name: data.ljust(2500, b"\0") for name, data in scenes(5).items()}
    assert run(folder(**files)).indexed == 5
    assert sent == sizes


def test_sending_pauses_while_much_is_pending(run, folder, world: World, clock: Clock, monkeypatch):
    most = 0

    def work() -> None:
        nonlocal most
        most = max(most, sum(len(batch) for batch in world.queue.batches))
        world.step()

    clock.meanwhile = work
    monkeypatch.setattr(transfer, "MAX_FILES", 2)
    monkeypatch.setattr(transfer, "MAX_PENDING", 3)
    assert run(folder(**scenes(10))).indexed == 10
    assert most <= 3 + 2


def test_progress_grows_and_ends_with_everything_settled(run, folder):
    settled: list[int] = []
    run(folder(**scenes(4), bad=b"x"), on_progress=lambda outcome: settled.append(outcome.settled))
    assert settled == sorted(settled)
    assert settled[-1] == 5


def test_a_stop_ends_early_and_loses_nothing_that_was_sent(run, folder, world: World, monkeypatch):
    monkeypatch.setattr(transfer, "MAX_FILES", 2)
    stops = iter([False, False, True])
    files = folder(**scenes(6))
    stopped = run(files, stopped=lambda: next(stops, True))
    assert (stopped.sent, stopped.indexed) == (2, 0)
    assert len(world.platform.pictures.list(Selection(), 10).pictures) == 2
    rest = run(files)
    assert (rest.import_id, *counts(rest)) == (stopped.import_id, 6, 6, 0, 0)


def test_files_that_changed_meanwhile_are_another_import(run, folder, monkeypatch):
    monkeypatch.setattr(transfer, "MAX_FILES", 2)
    stops = iter([False, False, True])
    files = folder(**scenes(4))
    stopped = run(files, stopped=lambda: next(stops, True))
    files[0].write_bytes(small(9) + b"longer")
    again = run(files)
    assert again.import_id != stopped.import_id
    assert (again.indexed, again.duplicates) == (4, 1)


def test_it_waits_while_somebody_has_paused_it(
    run, folder, world: World, clock: Clock, monkeypatch
):
    monkeypatch.setattr(transfer, "MAX_FILES", 2)
    monkeypatch.setattr(transfer, "POLL_SECONDS", 200)
    seen: list[str] = []

    def pause(outcome: Outcome) -> None:
        seen.append(outcome.state)
        if outcome.sent == 2 and "paused" not in seen:
            world.platform.imports.pause(UUID(outcome.import_id or ""))

    def meanwhile() -> None:
        world.step()
        if seen[-1] == "paused" and seen.count("paused") > 5:
            [paused] = world.platform.imports.list(1)
            world.platform.imports.resume(paused.row.id)

    clock.meanwhile = meanwhile
    assert counts(run(folder(**scenes(4)), on_progress=pause)) == (4, 4, 0, 0)
    assert seen.count("paused") > 5


def test_it_ends_when_somebody_cancels_it(run, folder, world: World, monkeypatch):
    monkeypatch.setattr(transfer, "MAX_FILES", 2)

    def cancel(outcome: Outcome) -> None:
        if outcome.sent == 2:
            world.platform.imports.cancel(UUID(outcome.import_id or ""))

    outcome = run(folder(**scenes(6)), on_progress=cancel)
    assert (outcome.state, outcome.sent, outcome.is_complete) == ("cancelled", 2, False)


def test_files_that_are_in_already_are_known_as_done(run, folder, http: Client, world: World):
    files = folder(**scenes(2))
    transfer = Transfer(http, "main", [], bool)
    assert not transfer.was_done(files)
    outcome = run(files)
    assert transfer.was_done(files)
    assert not Transfer(http, "main", ["tag"], bool).was_done(files)
    world.platform.imports.undo(UUID(outcome.import_id or ""))
    assert not transfer.was_done(files)
    assert run(files, dry_run=True).state == "done"
    assert not transfer.was_done(files)


def test_a_file_larger_than_a_request_fails_alone(run, folder, monkeypatch, http: Client):
    monkeypatch.setattr(transfer, "MAX_BYTES", 5000)
    http._http._transport.app.config["MAX_CONTENT_LENGTH"] = 20_000  # type: ignore[attr-defined]
    outcome = run(folder(a=small(1), b=small(2).ljust(40_000, b"\0"), c=small(3)))
    assert outcome.indexed == 2
    assert [(Path(one.file).name, one.code) for one in outcome.failures] == [("b.jpg", "too_large")]


def test_no_progress_for_ten_minutes_ends_with_what_to_do(run, folder, clock: Clock, monkeypatch):
    clock.meanwhile = bool
    monkeypatch.setattr(transfer, "POLL_SECONDS", 50)
    with pytest.raises(UnavailableError, match="lookalike status"):
        run(folder(**scenes(1)))
    assert 600 < clock.now < 700


def test_a_picture_that_somebody_removes_meanwhile_is_not_waited_for(
    run, folder, world: World, clock: Clock
):
    def remove() -> None:
        if world.queue.batches:
            [picture_id] = world.queue.batches.pop()
            world.platform.pictures.remove(picture_id)
        world.step()

    clock.meanwhile = remove
    outcome = run(folder(a=small()))
    assert outcome.is_complete
    assert world.platform.pictures.list(Selection(), 10).pictures == []


def test_an_outage_of_the_server_ends_the_import_with_its_sentence(run, folder, world: World):
    world.blobs.failure = OUTAGE
    with pytest.raises(ApiError, match="It is down") as caught:
        run(folder(**scenes(2)))
    assert caught.value.code == "unavailable"


def test_no_server_at_all_is_told():
    http = httpx.Client(base_url="http://127.0.0.1:1", trust_env=False)
    with http, pytest.raises(UnavailableError, match="lookalike up"):
        Client(http).status()


def test_something_else_at_the_address_is_told():
    def page(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text="<html>")

    http = httpx.Client(transport=httpx.MockTransport(page), base_url="http://localhost")
    with http, pytest.raises(UnavailableError, match="--url"):
        Client(http).status()


def test_failures_are_read_in_portions(run, folder, monkeypatch):
    monkeypatch.setattr("lookalike.cli.client.FAILURES_AT_ONCE", 2)
    outcome = run(folder(**{f"bad{number}": b"text %d" % number for number in range(5)}))
    names = [Path(one.file).stem for one in outcome.failures]
    assert names == [f"bad{number}" for number in range(5)]


def test_nothing_to_import_is_done_at_once(run):
    assert counts(run([])) == (0, 0, 0, 0)

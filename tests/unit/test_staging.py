"""Staged files: counted, hashed, bounded, and gone afterwards, however it ends."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lookalike.services.errors import TooLargeError
from lookalike.services.staging import Staging

LIMIT = 1000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "staging"


@pytest.fixture
def staging(folder: Path) -> Staging:
    return Staging(folder, LIMIT)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.glob("process-*/*") if path.is_file()]


def test_what_was_written_in_parts_is_read_as_a_whole_with_its_size_and_hash(staging: Staging):
    parts = [b"one", b"", b"two" * 100]
    with staging.new() as staged:
        assert [staged.write(part) for part in parts] == [3, 0, 300]
        staged.seek(0)  # as form parsers do
        staged.seal()
        assert staged.file.read() == b"".join(parts)
        assert staged.size == 303
        assert staged.sha256 == hashlib.sha256(b"".join(parts)).hexdigest()


def test_sealed_bytes_are_in_the_file_for_others_to_copy(staging: Staging):
    with staging.new() as staged:
        staged.write(b"x" * 10)
        staged.seal()
        assert staged.path.read_bytes() == b"x" * 10


def test_reading_starts_at_the_beginning_each_time(staging: Staging):
    with staging.new() as staged:
        staged.write(b"abc")
        staged.seal()
        assert staged.file.read(2) == b"ab"
        assert staged.file.read() == b"abc"


def test_exactly_the_limit_is_accepted(staging: Staging):
    with staging.new() as staged:
        staged.write(b"x" * LIMIT)
        staged.seal()
        assert len(staged.file.read()) == LIMIT


def test_one_byte_more_is_refused_with_the_limit(staging: Staging):
    with staging.new() as staged:
        staged.write(b"x" * LIMIT)
        staged.write(b"x")
        with pytest.raises(TooLargeError) as caught:
            staged.seal()
    assert caught.value.details == {"max_bytes": LIMIT}


def test_what_is_beyond_the_limit_is_counted_but_costs_no_disk(staging: Staging):
    with staging.new() as staged:
        for _ in range(100):
            staged.write(b"x" * LIMIT)
        staged.seek(0)
        assert staged.size == 100 * LIMIT
        assert staged.path.stat().st_size <= LIMIT


def test_the_file_is_gone_after_the_block(staging: Staging, folder: Path):
    with staging.new() as staged:
        staged.write(b"abc")
    assert files(folder) == []


def test_the_file_is_gone_after_a_block_that_raised(staging: Staging, folder: Path):
    def break_off() -> None:
        with staging.new() as staged:
            staged.write(b"abc")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert files(folder) == []


def test_closing_twice_and_after_somebody_else_removed_it_does_no_harm(
    staging: Staging, folder: Path
):
    staged = staging.new()
    staged.path.unlink()
    staged.close()
    staged.close()
    assert files(folder) == []


def test_files_in_hand_do_not_disturb_each_other(staging: Staging):
    with staging.new() as one, staging.new() as other:
        one.write(b"one")
        other.write(b"other")
        assert (one.file.read(), other.file.read()) == (b"one", b"other")


def test_starting_removes_what_a_killed_process_left_and_nothing_else(folder: Path):
    abandoned = folder / "process-killed"
    abandoned.mkdir(parents=True)
    (abandoned / "half").write_bytes(b"half a picture")
    with Staging(folder, LIMIT).new() as alive:
        alive.write(b"abc")
        other = Staging(folder, LIMIT)
        assert not abandoned.exists()
        assert files(folder) == [alive.path]
        other.close()
        assert files(folder) == [alive.path]


def test_many_may_start_and_stop_at_the_same_time(folder: Path):
    def start_and_stop(_: int) -> None:
        for _ in range(200):
            Staging(folder, LIMIT).close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(start_and_stop, range(4)))
    assert list(folder.glob("process-*")) == []


def test_closing_leaves_no_folder_behind(staging: Staging, folder: Path):
    staging.close()
    staging.close()
    assert list(folder.glob("process-*")) == []

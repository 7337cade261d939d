"""A folder of this server, and what lies in it to lead us astray."""

from __future__ import annotations

import errno
import os
import resource
import socket
from pathlib import Path

import pytest

from lookalike.services.errors import InvalidRequestError, SourceError
from lookalike.services.sources import server_files
from tests.hostile import member, tar_of, zip_of
from tests.unit.sources.reading import (
    GOOD,
    KIB,
    codes,
    nothing_left_open,
    opened,
    outcome,
    outcomes,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder that may be imported from, beside one that may not."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "secret.jpg").write_bytes(b"secret")
    (tmp_path / "root" / "b").mkdir(parents=True)
    return tmp_path / "root"


def read(root: Path, path: str = ".", **spec):
    return outcomes(opened("folder", roots=[root], path=path, **spec))


def test_pictures_come_folder_by_folder_in_the_order_of_names(root: Path):
    for name in ["z.jpg", "b/2.png", "b/1.JPEG", "a.jpg", "notes.txt", ".hidden.jpg"]:
        (root / name).write_bytes(GOOD)
    names = [name for name, _ in read(root)]
    assert names == ["a.jpg", "z.jpg", "b/1.JPEG", "b/2.png"]
    assert opened("folder", roots=[root], path=".").total() == 4
    assert [name for name, _ in read(root, all_files=True)][1] == "notes.txt"


def test_links_devices_and_pipes_are_refused_and_not_waited_for(root: Path):
    (root / "a.jpg").write_bytes(GOOD)
    (root / "link.jpg").symlink_to(root.parent / "secret" / "secret.jpg")
    (root / "links").symlink_to(root.parent / "secret")
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket.jpg"))
        bad = ["link.jpg", "links", "loop", "pipe.jpg", "socket.jpg"]
        assert read(root) == [("a.jpg", GOOD), *((name, "not_a_file") for name in bad)]


def test_what_turns_into_a_link_after_it_was_seen_is_not_followed(root: Path):
    for name in ["a.jpg", "b/b.jpg", "c.jpg"]:
        (root / name).write_bytes(GOOD)
    source = opened("folder", roots=[root], path=".")
    items = list(source.items())
    (root / "a.jpg").unlink()
    (root / "a.jpg").symlink_to(root.parent / "secret" / "secret.jpg")
    (root / "b" / "b.jpg").unlink()
    (root / "b").rmdir()
    (root / "b").symlink_to(root.parent / "secret")
    (root.parent / "secret" / "b.jpg").write_bytes(b"secret")
    (root / "c.jpg").unlink()
    assert [outcome(item) for item in items] == ["not_a_file", "missing_file", "not_a_file"]
    source.close()


def test_names_that_are_not_utf8_are_read_and_shown(root: Path):
    (Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9\x80.jpg"))).write_bytes(GOOD)
    (root / "gpj.\u202eexe.jpg").write_bytes(GOOD)
    (root / "line\nend.jpg").write_bytes(GOOD)
    assert read(root) == [("caf??.jpg", GOOD), ("gpj.exe.jpg", GOOD), ("lineend.jpg", GOOD)]


def test_archives_and_what_is_too_large_fail_alone(root: Path):
    (root / "a.zip").write_bytes(zip_of([]))
    (root / "b.jpg").write_bytes(bytes(300 * KIB))
    (root / "c.jpg").write_bytes(GOOD)
    assert [what for _, what in read(root)] == ["nested_archive", "too_large", GOOD]


@pytest.mark.parametrize(
    "path", ["..", "../secret", "/", "/etc", "b/../../secret", "nowhere", "link", "a\x00b"]
)
def test_only_folders_below_the_allowed_ones_are_opened(root: Path, path: str):
    (root / "link").symlink_to(root.parent / "secret")
    with nothing_left_open(), pytest.raises((SourceError, InvalidRequestError)):
        read(root, path)


def test_a_path_may_be_absolute_and_relative_to_any_root(root: Path):
    (root / "b" / "a.jpg").write_bytes(GOOD)
    assert read(root, str(root / "b")) == [("a.jpg", GOOD)]
    both = [root.parent / "secret", root]
    assert outcomes(opened("folder", roots=both, path="b")) == [("a.jpg", GOOD)]


def test_without_roots_nothing_is_opened(root: Path):
    with pytest.raises(SourceError, match="LOOKALIKE_IMPORT_ROOTS"):
        opened("folder", path=str(root))


def test_deep_folders_need_no_more_handles_than_shallow_ones(root: Path):
    deepest = root / "/".join(["d"] * 300)
    deepest.mkdir(parents=True)
    (deepest / "a.jpg").write_bytes(GOOD)
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, usual[1]))
    try:
        assert [what for _, what in read(root)] == [GOOD]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, usual)


def test_archives_of_this_server_are_read_where_they_lie(root: Path):
    (root / "b" / "a.tar").write_bytes(tar_of([member("a.jpg")]))
    assert codes(opened("tar", roots=[root], path="b/a.tar")) == ["ok"]
    for path in ["b/none.tar", "../secret/secret.jpg", "b", "/"]:
        with nothing_left_open(), pytest.raises(SourceError):
            opened("tar", roots=[root], path=path)


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("nothing", {}),
        ("folder", {}),
        ("folder", {"path": 7}),
        ("zip", {"other": 1}),
        ("manifest", {"format": "xls"}),
        ("s3", {"url": "http://bucket"}),
    ],
)
def test_options_that_are_wrong_are_told_and_the_upload_is_closed(kind, spec, tmp_path: Path):
    path = tmp_path / "upload"
    path.write_bytes(b"")
    file = path.open("rb")
    with pytest.raises(InvalidRequestError):
        opened(kind, file, **spec)
    assert file.closed


def test_a_file_that_the_disk_cannot_give_fails_alone(root: Path, monkeypatch):
    for name in ["a.jpg", "b.jpg", "c.jpg"]:
        (root / name).write_bytes(GOOD if name != "b.jpg" else b"lies on a bad sector")
    blocks = server_files.blocks_of

    def failing(file):
        for block in blocks(file):
            if block.startswith(b"lies"):
                raise OSError(errno.EIO, "Input/output error")
            yield block

    monkeypatch.setattr(server_files, "blocks_of", failing)
    assert [one for _, one in read(root)] == [GOOD, "missing_file", GOOD]


def test_a_root_that_cannot_be_opened_hides_no_other(root: Path):
    (root / "a.jpg").write_bytes(GOOD)
    roots = [root.parent / ("x" * 300), root]
    assert [one for _, one in outcomes(opened("folder", roots=roots, path="."))] == [GOOD]

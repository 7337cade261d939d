"""Thumbnails: small, plain JPEG, made once."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from lookalike.services.errors import BlobMissingError, TruncatedError
from tests.factories import ODD
from tests.platforms import World, make_world, small
from tests.scenes import cornered, exif, lying, saved


def thumbnail(world: World, picture_id) -> Image.Image:
    with world.platform.thumbnails.open(world.show(picture_id).picture) as file:
        return Image.open(BytesIO(file.read()))


def test_a_thumbnail_is_made_when_it_is_asked_for_before_indexing(world: World):
    [picture_id] = world.add(small())
    assert thumbnail(world, picture_id).size == (64, 48)
    assert len(world.blob_names()) == 2


def test_it_is_made_once(world: World):
    [picture_id] = world.indexed(small())
    world.blobs.before["put_bytes"] = pytest.fail
    thumbnail(world, picture_id)


def test_it_is_upright_without_metadata_and_no_larger_than_asked(tmp_path: Path):
    world = make_world(tmp_path, thumbnail_side=64)
    data = saved(lying(6, cornered((400, 200))), "JPEG", exif=exif(6, "2024:01:02 03:04:05"))
    [picture_id] = world.indexed(data)
    image = thumbnail(world, picture_id)
    assert image.format == "JPEG"
    assert image.size == (64, 32)
    assert len(image.getexif()) == 0
    red, _, _ = image.convert("RGB").getpixel((4, 4))
    assert red > 200
    world.platform.close()


def test_a_broken_picture_has_none_and_says_why(world: World):
    [picture_id] = world.add(ODD["jpeg_truncated"].data)
    with pytest.raises(TruncatedError):
        thumbnail(world, picture_id)


def test_a_lost_original_is_told(world: World):
    [picture_id] = world.add(small())
    picture = world.show(picture_id).picture
    world.lose_original(picture_id)
    with pytest.raises(BlobMissingError):
        world.platform.thumbnails.open(picture)

"""Files that no encoder at hand writes, byte by byte: wide PNGs, profiles, bombs, other formats."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import numpy as np
from PIL import Image, ImageChops

from tests.scenes import saved, scene

GREY, RGB = 0, 2

SRGB_COLORANTS = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))
"""XYZ (D50) of sRGB's red, green and blue."""


def png(size: tuple[int, int], depth: int, colour: int, rows: bytes, *extra: bytes) -> bytes:
    """A PNG of ready rows (each with its filter byte), with `extra` chunks after the header."""
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0)
    chunks = [chunk(b"IHDR", header), *extra, chunk(b"IDAT", zlib.compress(rows))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + chunk(b"IEND", b"")


def chunk(kind: bytes, data: bytes) -> bytes:
    """One PNG chunk with its checksum."""
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def png_16(image: Image.Image) -> bytes:
    """An L or RGB image as PNG with 16 bits a channel, which Pillow only reads."""
    levels = np.asarray(image).astype(">u2") * 257
    levels = levels.astype(">u2").reshape(image.height, -1)
    rows = b"".join(b"\0" + row.tobytes() for row in levels)
    return png(image.size, 16, GREY if image.mode == "L" else RGB, rows)


def png_bomb(width: int, height: int) -> bytes:
    """Black and white, all black: small in the file, huge when decoded."""
    packer = zlib.compressobj(9)
    row = b"\0" * (1 + (width + 7) // 8)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, GREY, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def png_late_exif(image: Image.Image, exif: bytes) -> bytes:
    """EXIF after the pixels, as some tools append it."""
    plain = saved(image, "PNG")
    end = plain.rindex(b"IEND") - 4
    return plain[:end] + chunk(b"eXIf", exif.removeprefix(b"Exif\0\0")) + plain[end:]


def jpeg_cmyk_not_inverted(image: Image.Image) -> bytes:
    """CMYK without Adobe's marker and without Adobe's inversion."""
    data = saved(ImageChops.invert(image.convert("CMYK")), "JPEG", quality=95)
    start = data.index(b"\xff\xee")
    return data[:start] + data[start + 2 + int.from_bytes(data[start + 2 : start + 4], "big") :]


def jpeg_without_tables(data: bytes) -> bytes:
    """The Huffman tables overwritten: nothing after them makes sense."""
    start = data.index(b"\xff\xc4")
    return data[: start + 4] + b"\xee" * 60 + data[start + 64 :]


def jpeg_many_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan is repeated for ever."""
    data = saved(scene(0, (64, 64)), "JPEG", progressive=True)
    return data[:-2] + data[data.rindex(b"\xff\xda") : -2] * count + data[-2:]


def gif_frame_beyond_screen(width: int, height: int) -> bytes:
    """A screen of 100 x 100 and one frame that claims far more, with `restore to background`."""
    control = b"!\xf9\x04" + bytes([2 << 2, 0, 0, 0, 0])
    frame = b"," + struct.pack("<HHHHB", 0, 0, width, height, 0)
    return b"GIF89a" + struct.pack("<HHBBB", 100, 100, 0, 0, 0) + control + frame + b"\x02\0;"


def tiff_strips(count: int) -> bytes:
    """A grey TIFF of 64 x 64 that lists `count` strips."""
    tags = {256: 64, 257: 64, 258: 8, 259: 1, 262: 1, 273: 0, 277: 1, 278: 1, 279: 0}
    lists = 8 + 2 + 12 * len(tags) + 4
    rows = [
        struct.pack("<HHII", tag, 4, 1 if value else count, value or lists)
        for tag, value in tags.items()
    ]
    return (
        b"II*\0\x08\0\0\0"
        + struct.pack("<H", len(tags))
        + b"".join(rows)
        + bytes(4)
        + struct.pack("<I", 8) * count
    )


def bmp_header(width: int, height: int, pixels: bytes = b"") -> bytes:
    """A 24-bit BMP header with any sizes, negative ones too."""
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(pixels), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(pixels), 0, 0, 54) + info + pixels


def flipped(data: bytes, count: int = 40, bits: int = 255) -> bytes:
    """These `bits` inverted in `count` bytes from the middle on."""
    middle = len(data) // 2
    damaged = bytes(byte ^ bits for byte in data[middle : middle + count])
    return data[:middle] + damaged + data[middle + count :]


def zipped() -> bytes:
    """An archive with a picture in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("picture.jpg", saved(scene(), "JPEG"))
    return buffer.getvalue()


def icc_profile(
    *colorants: tuple[float, float, float], name: bytes = b"Test", gamma: float = 2.2
) -> bytes:
    """An RGB matrix profile (ICC.1:2001-04) with these XYZ colorants for red, green, blue."""
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))
    text = b"desc\0\0\0\0" + struct.pack(">I", len(name) + 1) + name + b"\0" * 79
    tags = {b"desc": text, b"cprt": b"text\0\0\0\0none\0", b"wtpt": _xyz(0.9505, 1, 1.0891)}
    for letter, colorant in zip((b"r", b"g", b"b"), colorants, strict=True):
        tags |= {letter + b"XYZ": _xyz(*colorant), letter + b"TRC": curve}
    table, body = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for tag, data in tags.items():
        table += tag + struct.pack(">II", start + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    head = struct.pack(">III", start + len(body), 0, 0x02100000)
    head += b"mntrRGB XYZ ".ljust(24, b"\0") + b"acsp".ljust(32, b"\0")
    head += _xyz(0.9642, 1, 0.8249)[8:]
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)

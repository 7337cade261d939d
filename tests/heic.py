"""HEIC files without an HEVC encoder: every block is sent as raw samples (I_PCM).

The libraries at hand only decode HEVC. ITU-T H.265 lets an intra picture carry its samples
untransformed, so the little that remains can be written by hand: parameter sets (7.3.2), one
slice for each 16 x 16 block (7.3.6) and two arithmetic-coded flags, which are the same in every
slice (9.3.4). The container follows ISO/IEC 23008-12 (HEIF).
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray
from PIL import Image

BLOCK = 16
LEVEL = 120
PROFILE = bytes([0x03]) + struct.pack(">I", 0x70000000) + bytes([0x90, 0, 0, 0, 0, 0, LEVEL])
"""General profile, tier and level (7.3.3): Main Still Picture."""

VPS, SPS, PPS, SLICE = 32, 33, 34, 19


def encode(picture: Image.Image, *, exif: bytes = b"", quarter_turns: int = 0) -> bytes:
    """The RGB picture as HEIC; `quarter_turns` anticlockwise are left to the reader (irot)."""
    width, height = picture.size
    sets = [_nal(VPS, _vps()), _nal(SPS, _sps(width, height)), _nal(PPS, _pps())]
    slices = b"".join(struct.pack(">I", len(nal)) + nal for nal in _slices(picture))
    properties = [
        _box(b"hvcC", _decoder_configuration(sets)),
        _full(b"ispe", struct.pack(">II", width, height)),
        _box(b"colr", b"nclx" + struct.pack(">HHHB", 1, 13, 6, 0x80)),
        _box(b"irot", bytes([quarter_turns])),
    ]
    return _container(
        properties, [(b"hvc1", slices), (b"Exif", exif)] if exif else [(b"hvc1", slices)]
    )


class Bits:
    """A bit string that is written from the left."""

    def __init__(self) -> None:
        self.text = ""

    def u(self, count: int, value: int) -> Bits:
        """`value` in `count` bits."""
        self.text += f"{value:0{count}b}" if count else ""
        return self

    def ue(self, *values: int) -> Bits:
        """Exponential Golomb codes (9.2)."""
        for value in values:
            code = f"{value + 1:b}"
            self.text += "0" * (len(code) - 1) + code
        return self

    def raw(self, data: bytes) -> Bits:
        """Whole bytes."""
        self.text += "".join(f"{byte:08b}" for byte in data)
        return self

    def aligned(self) -> bytes:
        """All bits, filled up with zeros to whole bytes."""
        text = self.text + "0" * (-len(self.text) % 8)
        return int(text, 2).to_bytes(len(text) // 8, "big")

    def ended(self) -> bytes:
        """All bits, closed with the stop bit."""
        return self.u(1, 1).aligned()


def _vps() -> bytes:
    bits = Bits().u(4, 0).u(2, 3).u(6, 0).u(3, 0).u(1, 1).u(16, 0xFFFF).raw(PROFILE)
    return bits.u(1, 1).ue(0, 0, 0).u(6, 0).ue(0).u(2, 0).ended()


def _sps(width: int, height: int) -> bytes:
    wide, high = _padded(width), _padded(height)
    bits = Bits().u(4, 0).u(3, 0).u(1, 1).raw(PROFILE).ue(0, 1, wide, high)
    bits.u(1, 1).ue(0, (wide - width) // 2, 0, (high - height) // 2)
    bits.ue(0, 0, 0).u(1, 1).ue(0, 0, 0)
    blocks_8_to_16, transforms_4_to_16 = (0, 1), (0, 2)
    bits.ue(*blocks_8_to_16, *transforms_4_to_16, 0, 0).u(3, 0)
    bits.u(1, 1).u(8, 0x77).ue(1, 0).u(1, 1)
    return bits.ue(0).u(5, 0).ended()


def _pps() -> bytes:
    bits = Bits().ue(0, 0).u(7, 0).ue(0, 0, 0).u(3, 0).ue(0, 0).u(7, 0)
    without_deblocking = 0b101
    return bits.u(3, without_deblocking).u(2, 0).ue(0).u(2, 0).ended()


def _slices(picture: Image.Image) -> list[bytes]:
    width, height = picture.size
    samples = np.asarray(picture.convert("YCbCr"))
    padding = ((0, _padded(height) - height), (0, _padded(width) - width), (0, 0))
    planes = np.pad(samples, padding, mode="edge")
    corners = [
        (top, left)
        for top in range(0, planes.shape[0], BLOCK)
        for left in range(0, planes.shape[1], BLOCK)
    ]
    return [
        _nal(SLICE, _slice(index, len(corners), planes[top : top + BLOCK, left : left + BLOCK]))
        for index, (top, left) in enumerate(corners)
    ]


def _slice(index: int, count: int, block: NDArray[np.uint8]) -> bytes:
    intra = 2
    header = Bits().u(1, index == 0).u(1, 0).ue(0)
    header.u((count - 1).bit_length() if index else 0, index).ue(intra).ue(0)
    luma, chroma = block[..., 0], block[::2, ::2, 1:]
    samples = luma.tobytes() + chroma[..., 0].tobytes() + chroma[..., 1].tobytes()
    flags = Bits()
    flags.text = _arithmetic(unsplit=True)
    last = Bits()
    last.text = _arithmetic(unsplit=False)
    return header.ended() + flags.aligned() + samples + last.aligned()


def _arithmetic(*, unsplit: bool) -> str:
    """Bits for `split_cu_flag` 0, if asked for, then a terminating 1 and the flush (9.3.4).

    The engine starts afresh in every slice and after every PCM block, where the first context
    has equal odds: a range of 510, of which the less probable symbol takes 240. Terminating adds
    what is left, less 2, to the low end; the flush writes its nine bits, the last one set.
    """
    low = (510 - 240 if unsplit else 510) - 2
    return f"{low | 1:09b}"


def _padded(side: int) -> int:
    return -(-side // BLOCK) * BLOCK


def _nal(kind: int, payload: bytes) -> bytes:
    """With emulation prevention: no three bytes may look like a start code (7.3.1.1)."""
    escaped = bytearray()
    for byte in payload:
        if byte <= 3 and escaped[-2:] == b"\0\0":
            escaped.append(3)
        escaped.append(byte)
    return struct.pack(">BB", kind << 1, 1) + bytes(escaped)


def _decoder_configuration(sets: list[bytes]) -> bytes:
    head = b"\x01" + PROFILE + struct.pack(">HBBBBHBB", 0xF000, 0xFC, 0xFD, 0xF8, 0xF8, 0, 15, 3)
    return head + b"".join(
        struct.pack(">BHH", 0x80 | nal[0] >> 1, 1, len(nal)) + nal for nal in sets
    )


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", len(body) + 8) + kind + body


def _full(kind: bytes, *parts: bytes, version: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", version << 24), *parts)


def _container(properties: list[bytes], items: list[tuple[bytes, bytes]]) -> bytes:
    head = _box(b"ftyp", b"heic", struct.pack(">I", 0), b"mif1heic")
    payloads = [data if kind == b"hvc1" else b"\0\0\0\0" + data for kind, data in items]
    start = len(head) + len(_meta(properties, items, [(0, 0)] * len(items))) + 8
    places = []
    for data in payloads:
        places.append((start, len(data)))
        start += len(data)
    return head + _meta(properties, items, places) + _box(b"mdat", *payloads)


def _meta(
    properties: list[bytes], items: list[tuple[bytes, bytes]], places: list[tuple[int, int]]
) -> bytes:
    entries = [
        _full(b"infe", struct.pack(">HH", number, 0) + kind + b"\0", version=2)
        for number, (kind, _) in enumerate(items, 1)
    ]
    extents = [
        struct.pack(">HHHII", number, 0, 1, *place) for number, place in enumerate(places, 1)
    ]
    used = bytes([len(properties), *(0x80 | index for index in range(1, len(properties) + 1))])
    boxes = [
        _full(b"hdlr", b"\0\0\0\0pict", b"\0" * 13),
        _full(b"pitm", struct.pack(">H", 1)),
        _full(b"iloc", struct.pack(">HH", 0x4400, len(items)), *extents),
        _full(b"iinf", struct.pack(">H", len(items)), *entries),
        _box(
            b"iprp",
            _box(b"ipco", *properties),
            _full(b"ipma", struct.pack(">IH", 1, 1), used),
        ),
    ]
    if len(items) > 1:
        boxes.append(_full(b"iref", _box(b"cdsc", struct.pack(">HHH", 2, 1, 1))))
    return _full(b"meta", *boxes)

"""Width and height of an encoded image from its bytes alone, and whether it is all there, before a pixel is decoded.

OpenCV allocates whatever size a header claims, and some of its versions fill a file that was cut off with grey and only
warn; so both are found out here. Sources: ITU-T T.81 annex B (JPEG), PNG 1.2 chapters 3 and 4, Microsoft's
BITMAPFILEHEADER and BITMAPINFOHEADER, TIFF 6.0 section 2.
"""

from __future__ import annotations

import struct

_PNG = b"\x89PNG\r\n\x1a\n"
_TIFF = {b"II*\0": "<", b"MM\0*": ">"}
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_TIFF_INTEGERS = {3: ("H", 2), 4: ("I", 4)}
_WIDTH, _HEIGHT, _STRIP_OFFSETS, _STRIP_BYTES, _TILE_OFFSETS, _TILE_BYTES = 256, 257, 273, 279, 324, 325


class BadImageError(Exception):
    """The bytes are no complete image of an allowed format; the text says why."""


def image_size(data: bytes) -> tuple[int, int]:
    """Return (width, height) of a complete PNG, JPEG, BMP or TIFF file. Raises BadImageError."""
    if data.startswith(b"\xff\xd8\xff"):
        name, measure = "JPEG", _jpeg
    elif data.startswith(_PNG):
        name, measure = "PNG", _png
    elif data.startswith(b"BM"):
        name, measure = "BMP", _bmp
    elif data[:4] in _TIFF:
        name, measure = "TIFF", _tiff
    else:
        raise BadImageError(
            f"{len(data)} bytes that begin with {data[:8].hex(' ') or 'nothing'} are none of the formats"
        )
    try:
        width, height = measure(data)
    except (struct.error, IndexError) as error:
        raise BadImageError(f"the {name} is damaged or cut off after {len(data)} bytes") from error
    if width < 1 or height < 1:
        raise BadImageError(f"the {name} says that it has {width}×{height} pixels")
    return width, height


def _jpeg(data: bytes) -> tuple[int, int]:
    size = (0, 0)
    at = 2
    while (marker := data[at + 1]) != 0xDA:
        if data[at] != 0xFF or marker == 0xD9:
            raise BadImageError(f"the JPEG is damaged at byte {at}")
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker in _FRAME_MARKERS:
            height, width = struct.unpack_from(">HH", data, at + 5)
            size = (width, height)
        at += 2 + int(struct.unpack_from(">H", data, at + 2)[0])
    if data.find(b"\xff\xd9", at) < 0:
        raise BadImageError(f"the JPEG is cut off after {len(data)} bytes (no end-of-image marker)")
    return size


def _png(data: bytes) -> tuple[int, int]:
    at, kind = len(_PNG), b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        at += 12 + length
        if at > len(data):
            raise BadImageError(f"the PNG is cut off: {len(data)} bytes of at least {at}")
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _bmp(data: bytes) -> tuple[int, int]:
    (stated,) = struct.unpack_from("<I", data, 2)
    if stated > len(data):
        raise BadImageError(f"the BMP is cut off: {len(data)} bytes of {stated}")
    is_core_header = struct.unpack_from("<I", data, 14)[0] == 12
    width, height = struct.unpack_from("<HH" if is_core_header else "<ii", data, 18)
    return width, abs(height)


def _tiff(data: bytes) -> tuple[int, int]:
    tags = _tiff_tags(data)
    if _WIDTH not in tags or _HEIGHT not in tags:
        raise BadImageError("the TIFF names no size")
    for offsets, lengths in ((_STRIP_OFFSETS, _STRIP_BYTES), (_TILE_OFFSETS, _TILE_BYTES)):
        for offset, length in zip(tags.get(offsets, ()), tags.get(lengths, ()), strict=False):
            if offset + length > len(data):
                raise BadImageError(f"the TIFF is cut off: {len(data)} bytes of at least {offset + length}")
    return tags[_WIDTH][0], tags[_HEIGHT][0]


def _tiff_tags(data: bytes) -> dict[int, tuple[int, ...]]:
    """Return the integer tags of the first directory. A tag that comes twice is refused: readers disagree on it."""
    order = _TIFF[data[:4]]
    (at,) = struct.unpack_from(order + "I", data, 4)
    (entries,) = struct.unpack_from(order + "H", data, at)
    struct.unpack_from("4s", data, at + 2 + 12 * entries)  # the link to the next directory ends this one
    tags: dict[int, tuple[int, ...]] = {}
    for entry in range(at + 2, at + 2 + 12 * entries, 12):
        tag, kind, count = struct.unpack_from(order + "HHI", data, entry)
        if kind not in _TIFF_INTEGERS or not count:
            continue
        if tag in tags:
            raise BadImageError(f"the TIFF has its tag {tag} twice")
        code, size = _TIFF_INTEGERS[kind]
        start = entry + 8 if count * size <= 4 else struct.unpack_from(order + "I", data, entry + 8)[0]
        if start + count * size > len(data):
            raise BadImageError(f"the TIFF is cut off: {len(data)} bytes of at least {start + count * size}")
        tags[tag] = struct.unpack_from(f"{order}{count}{code}", data, start)
    return tags

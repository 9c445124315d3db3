"""Size, format and completeness of an image file, read from its bytes without decoding a pixel.

OpenCV decodes a JPEG that was cut off, fills the rest with grey and only warns; and it allocates whatever size a header
claims. So both are checked here first. Sources: ITU-T T.81 annex B (JPEG markers), PNG 1.2 chapters 3 and 4,
Microsoft's BITMAPFILEHEADER and BITMAPINFOHEADER, TIFF 6.0 section 2.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass


class HeaderError(Exception):
    """The bytes are no complete image; the text says why, without the file's name."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the head of an image file says: format, size in pixels as stored, EXIF orientation (1: upright)."""

    format: str
    width: int
    height: int
    orientation: int = 1


PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
TIFF_SIGNATURES = {b"II*\0": "<", b"MM\0*": ">"}
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # next marker that is neither a stuffed byte nor a restart


def sniff(data: bytes) -> str:
    """Return 'JPEG', 'PNG', 'BMP', 'TIFF' or '' by the first bytes."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(PNG_SIGNATURE):
        return "PNG"
    if data[:4] in TIFF_SIGNATURES:
        return "TIFF"
    if data.startswith(b"BM") and len(data) >= 26:
        return "BMP"
    return ""


def read_header(data: bytes) -> Header:
    """Return format and size; raise HeaderError where there is no image header or it is cut off."""
    kind = sniff(data)
    if not kind:
        raise HeaderError("the content is no image")
    try:
        width, height = {"JPEG": _jpeg_size, "PNG": _png_size, "BMP": _bmp_size, "TIFF": _tiff_size}[kind](data)
    except (struct.error, IndexError) as error:
        raise HeaderError(f"the {kind} header is cut off after {len(data)} bytes") from error
    return Header(kind, width, height, _orientation(data) if kind == "JPEG" else 1)


def check_complete(data: bytes, header: Header) -> None:
    """Raise HeaderError where the file ends before its image does, or (PNG) where a checksum is wrong."""
    try:
        {"JPEG": _jpeg_end, "PNG": _png_end, "BMP": _bmp_end, "TIFF": _tiff_end}[header.format](data)
    except (struct.error, IndexError) as error:
        raise HeaderError(f"the {header.format} file is cut off after {len(data)} bytes") from error


def _jpeg_segments(data: bytes) -> list[tuple[int, int]]:
    """Return (marker, offset of its length field) of each segment up to and including the first scan."""
    segments: list[tuple[int, int]] = []
    at = 2
    while True:
        if data[at] != 0xFF:
            raise HeaderError(f"the JPEG has no marker at byte {at}")
        while data[at] == 0xFF:
            at += 1
        marker = data[at]
        at += 1
        if marker == 0xD9:
            return segments
        if marker == 0x01 or 0xD0 <= marker <= 0xD7:
            continue
        segments.append((marker, at))
        if marker == 0xDA:
            return segments
        at += int(struct.unpack_from(">H", data, at)[0])


def _jpeg_size(data: bytes) -> tuple[int, int]:
    for marker, at in _jpeg_segments(data):
        if marker in _FRAME_MARKERS:
            height, width = struct.unpack_from(">HH", data, at + 3)
            return width, height
    raise HeaderError("the JPEG names no frame size")


def _orientation(data: bytes) -> int:
    """Return the EXIF orientation (Exif 2.3, tag 274) of a JPEG; 1 where it states none that can be read."""
    for marker, at in _jpeg_segments(data):
        (length,) = struct.unpack_from(">H", data, at)
        exif = data[at + 2 : at + length]
        if marker == 0xE1 and exif.startswith(b"Exif\0\0") and exif[6:10] in TIFF_SIGNATURES:
            try:
                return _tiff_entries(exif[6:]).get(274, (1,))[0]
            except (struct.error, IndexError):
                return 1
    return 1


def _jpeg_end(data: bytes) -> None:
    segments = _jpeg_segments(data)
    if not segments or segments[-1][0] != 0xDA:
        raise HeaderError("the JPEG holds no image data")
    at = segments[-1][1]
    while True:
        at += int(struct.unpack_from(">H", data, at)[0])
        found = _AFTER_SCAN.search(data, at)
        if found is None:
            raise HeaderError(f"the JPEG is cut off after {len(data)} bytes (no end-of-image marker)")
        if data[found.end() - 1] == 0xD9:
            return
        at = found.end()


def _png_size(data: bytes) -> tuple[int, int]:
    if data[12:16] != b"IHDR":
        raise HeaderError("the PNG does not begin with its header chunk")
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _png_end(data: bytes) -> None:
    at = len(PNG_SIGNATURE)
    while True:
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        (stated,) = struct.unpack_from(">I", data, end)
        if zlib.crc32(memoryview(data)[at + 4 : end]) != stated:
            raise HeaderError(f"the PNG is damaged: checksum of its chunk {name!r} at byte {at} is wrong")
        if name == b"IEND":
            return
        at = end + 4


def _bmp_size(data: bytes) -> tuple[int, int]:
    if struct.unpack_from("<I", data, 14)[0] == 12:
        width, height = struct.unpack_from("<HH", data, 18)
        return width, height
    width, height = struct.unpack_from("<ii", data, 18)
    return abs(width), abs(height)


def _bmp_end(data: bytes) -> None:
    (stated,) = struct.unpack_from("<I", data, 2)
    if stated > len(data):
        raise HeaderError(f"the BMP is cut off: {len(data)} bytes of {stated}")


def _tiff_entries(data: bytes) -> dict[int, tuple[int, ...]]:
    """Return the integer tags of the first directory."""
    order = TIFF_SIGNATURES[data[:4]]
    (at,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, at)
    entries: dict[int, tuple[int, ...]] = {}
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind, number = struct.unpack_from(order + "HHI", data, entry)
        code, size = {3: ("H", 2), 4: ("I", 4)}.get(kind, ("", 0))
        if code and number:
            start = entry + 8 if number * size <= 4 else struct.unpack_from(order + "I", data, entry + 8)[0]
            entries[tag] = struct.unpack_from(f"{order}{number}{code}", data, start)
    return entries


def _tiff_size(data: bytes) -> tuple[int, int]:
    entries = _tiff_entries(data)
    if 256 not in entries or 257 not in entries:
        raise HeaderError("the TIFF names no image size")
    return entries[256][0], entries[257][0]


def _tiff_end(data: bytes) -> None:
    entries = _tiff_entries(data)
    for offsets, lengths in ((273, 279), (324, 325)):
        ends = [start + size for start, size in zip(entries.get(offsets, ()), entries.get(lengths, ()), strict=False)]
        if ends and max(ends) > len(data):
            raise HeaderError(f"the TIFF is cut off: {len(data)} bytes of at least {max(ends)}")

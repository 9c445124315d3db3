"""One image file to uint8 pixels, refused before decoding where it is too large or cut off."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np

from camera.frame import Pixels

MAX_PIXELS = 100_000_000
MAX_FILE_BYTES = 650_000_000  # MAX_PIXELS of three 16-bit channels, uncompressed, and some room
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})


class ImageFileError(Exception):
    """The file gives no picture; the text says why and what is allowed. It never leaves the driver."""


def read_image(path: Path) -> Pixels:
    """Return the pixels of an image file: (H, W) for a grey one (Mono8), else (H, W, 3) in the order R, G, B (RGB8).

    16 bits are scaled by 255/65535, an alpha channel is dropped, an EXIF orientation is ignored. Raises ImageFileError.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ImageFileError(f"{path}: {path.stat().st_size} bytes; at most {MAX_FILE_BYTES} are allowed")
        data = path.read_bytes()
    except OSError as error:
        raise ImageFileError(f"{path}: cannot be read ({error.strerror or error})") from error
    _check(path, data)
    try:
        raw = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise ImageFileError(f"{path}: cannot be decoded ({error.err})") from error
    if raw is None:
        raise ImageFileError(f"{path}: cannot be decoded; the content is damaged")
    if raw.dtype not in (np.uint8, np.uint16):
        raise ImageFileError(f"{path}: pixels are {raw.dtype}; 8 or 16 bit integers are allowed")
    return _to_rgb_or_mono(
        np.asarray(cv2.convertScaleAbs(raw, alpha=255 / 65535) if raw.dtype == np.uint16 else raw, dtype=np.uint8)
    )


def _to_rgb_or_mono(pixels: Pixels) -> Pixels:
    if pixels.ndim == 2:
        return pixels
    if pixels.shape[2] == 1:
        return np.ascontiguousarray(pixels[:, :, 0])
    code = cv2.COLOR_BGRA2RGB if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(pixels, code), dtype=np.uint8)


def _check(path: Path, data: bytes) -> None:
    if not data:
        raise ImageFileError(f"{path}: the file is empty")
    try:
        if data.startswith(b"\xff\xd8\xff"):
            height, width = _jpeg_size_and_end(path, data)
        elif data.startswith(b"\x89PNG\r\n\x1a\n"):
            width, height = struct.unpack_from(">II", data, 16)
        elif data.startswith(b"BM"):
            width, height = struct.unpack_from("<HH" if data[14] == 12 else "<ii", data, 18)
        elif data[:4] in (b"II*\0", b"MM\0*"):
            width, height = _tiff_size(data)
        else:
            raise ImageFileError(f"{path}: the content is no JPEG, PNG, BMP or TIFF image")
    except (struct.error, IndexError, KeyError) as error:
        raise ImageFileError(f"{path}: the header is damaged or cut off ({len(data)} bytes)") from error
    if abs(width * height) > MAX_PIXELS:
        raise ImageFileError(
            f"{path}: {width}×{abs(height)} pixels; at most {MAX_PIXELS / 1e6:.0f} megapixels are allowed"
        )


def _jpeg_size_and_end(path: Path, data: bytes) -> tuple[int, int]:
    """Walk the markers (ITU-T T.81 annex B); OpenCV itself fills a cut-off JPEG with grey and only warns."""
    size: tuple[int, int] | None = None
    at = 2
    while (marker := data[at + 1]) != 0xDA:
        if data[at] != 0xFF or marker == 0xD9:
            raise ImageFileError(f"{path}: the JPEG is damaged at byte {at}")
        if marker == 0xFF:  # a fill byte before the marker
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            size = struct.unpack_from(">HH", data, at + 5)
        at += 2 + int(struct.unpack_from(">H", data, at + 2)[0])
    if size is None:
        raise ImageFileError(f"{path}: the JPEG names no frame size")
    if data.find(b"\xff\xd9", at) < 0:
        raise ImageFileError(f"{path}: the JPEG is cut off after {len(data)} bytes (no end-of-image marker)")
    return size


def _tiff_size(data: bytes) -> tuple[int, int]:
    """Read tags 256 and 257 of the first directory (TIFF 6.0 section 2)."""
    order = "<" if data.startswith(b"II") else ">"
    (at,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, at)
    tags: dict[int, int] = {}
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind = struct.unpack_from(order + "HH", data, entry)
        tags[tag] = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, entry + 8)[0]
    return tags[256], tags[257]

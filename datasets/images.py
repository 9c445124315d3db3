"""From an image file to uint8 pixels, with every limit checked before a pixel is decoded."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.errors import ImageError
from datasets.files import FORMAT_OF_SUFFIX, read_bytes
from datasets.headers import Header, HeaderError, check_complete, read_header

MAX_PIXELS = 100_000_000  # 300 MB as RGB8; area cameras stay below, and longer line scans come in tiles
MIN_SIDE_PX = 8


def inspect_bytes(path: Path, data: bytes) -> Header:
    """Return format and size of an image file's content; raise ImageError where it breaks a rule.

    Checked: the content is what the suffix says, it is complete, and its size is within `MIN_SIDE_PX` and `MAX_PIXELS`.
    """
    try:
        header = read_header(data)
        _check_size(path, header)
        check_complete(data, header)
    except HeaderError as problem:
        raise ImageError(
            f"{path}: {problem}; a complete JPEG, PNG, BMP or TIFF file is needed; copy it again or remove it"
        ) from problem
    expected = FORMAT_OF_SUFFIX.get(path.suffix.lower())
    if expected is not None and expected != header.format:
        raise ImageError(
            f"{path}: misnamed, the content is {header.format} but '{path.suffix}' means {expected}; rename the file"
        )
    return header


def _check_size(path: Path, header: Header) -> None:
    size = f"{header.width}×{header.height} pixels"
    if min(header.width, header.height) < MIN_SIDE_PX:
        raise ImageError(f"{path}: {size}; at least {MIN_SIDE_PX}×{MIN_SIDE_PX} are needed; remove the file")
    if header.width * header.height > MAX_PIXELS:
        raise ImageError(
            f"{path}: {size} ({header.width * header.height / 1e6:.0f} megapixels); "
            f"at most {MAX_PIXELS / 1e6:.0f} megapixels are allowed; crop or downsize the image"
        )


def load_image(path: Path) -> NDArray[np.uint8]:
    """Return the pixels of an image file: (H, W) for a grey one (Mono8), else (H, W, 3) in the order R, G, B (RGB8).

    16 bits are scaled by 255/65535 over the full range, whatever range is in use. An alpha channel is dropped: what is
    stored as colour stays. An EXIF orientation is ignored: pixels come as the sensor gave them. Raises ImageError.
    """
    data = read_bytes(path)
    inspect_bytes(path, data)
    return decode(path, data)


def decode(path: Path, data: bytes) -> NDArray[np.uint8]:
    """Return the pixels of content that `inspect_bytes` accepted, as `load_image` does."""
    try:
        raw = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise ImageError(f"{path}: cannot be decoded ({error.err}); save it again as PNG") from error
    if raw is None:
        raise ImageError(f"{path}: cannot be decoded; the content is damaged; save it again as PNG")
    if raw.dtype not in (np.uint8, np.uint16):
        raise ImageError(f"{path}: pixels are {raw.dtype}; 8 or 16 bit integers are allowed; save it again as PNG")
    pixels = np.asarray(cv2.convertScaleAbs(raw, alpha=255 / 65535) if raw.dtype == np.uint16 else raw, dtype=np.uint8)
    if pixels.ndim == 2:
        return pixels
    if pixels.shape[2] == 1:
        return np.ascontiguousarray(pixels[:, :, 0])
    code = cv2.COLOR_BGRA2RGB if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(pixels, code), dtype=np.uint8)

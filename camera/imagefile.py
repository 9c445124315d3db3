"""One image file to uint8 pixels, with every limit checked before memory is taken for it."""

from __future__ import annotations

from pathlib import Path

from camera.encoded import decode_image
from camera.frame import Pixels
from camera.image_size import BadImageError

MAX_PIXELS = 100_000_000
MAX_FILE_BYTES = 650_000_000  # MAX_PIXELS of three 16-bit channels, uncompressed, and some room
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})


class ImageFileError(Exception):
    """The file gives no picture; the text says why and what is allowed. It never leaves the driver."""


def read_image(path: Path) -> Pixels:
    """Return the pixels of an image file: (H, W) for a grey one, else (H, W, 3) RGB. Raises ImageFileError."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ImageFileError(f"{path}: {path.stat().st_size} bytes; at most {MAX_FILE_BYTES} are allowed")
        data = path.read_bytes()
    except OSError as error:
        raise ImageFileError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not data:
        raise ImageFileError(f"{path}: the file is empty")
    try:
        return decode_image(data, min_side_px=1, max_pixels=MAX_PIXELS)
    except BadImageError as error:
        raise ImageFileError(f"{path}: {error}") from error

"""An encoded image (PNG, JPEG, BMP, TIFF) to uint8 pixels, refused before decoding where it is too large or cut off."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.frame import Pixels
from camera.image_size import BadImageError, image_size


def decode_image(data: bytes, *, min_side_px: int, max_pixels: int) -> Pixels:
    """Return the pixels of an encoded image: (H, W) for a grey one (Mono8), else (H, W, 3) in the order R, G, B (RGB8).

    16 bits are scaled by 255/65535, an alpha channel is dropped, an EXIF orientation is ignored: as training reads its
    files. Raises BadImageError, with the size and the limit where it is the size.
    """
    width, height = image_size(data)
    check_size(width, height, min_side_px=min_side_px, max_pixels=max_pixels)
    try:
        raw = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise BadImageError(f"it cannot be decoded ({error.err})") from error
    if raw is None:
        raise BadImageError(f"its {len(data)} bytes are damaged")
    if raw.dtype not in (np.uint8, np.uint16):
        raise BadImageError(f"its pixels are {raw.dtype}, not integers of 8 or 16 bits")
    return _to_rgb_or_mono(raw)


def check_size(width: int, height: int, *, min_side_px: int, max_pixels: int) -> None:
    """Raise BadImageError unless both sides are long enough and the pixels few enough."""
    if width < min_side_px or height < min_side_px or width * height > max_pixels:
        raise BadImageError(
            f"it has {width}×{height} pixels; from {min_side_px}×{min_side_px} up to "
            f"{max_pixels // 1_000_000} megapixels are allowed"
        )


def _to_rgb_or_mono(raw: NDArray[Any]) -> Pixels:
    scaled = cv2.convertScaleAbs(raw, alpha=255 / 65535) if raw.dtype == np.uint16 else raw
    pixels = np.asarray(scaled, dtype=np.uint8)
    if pixels.ndim == 2:
        return pixels
    if pixels.shape[2] == 1:
        return np.ascontiguousarray(pixels[:, :, 0])
    code = cv2.COLOR_BGRA2RGB if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(pixels, code), dtype=np.uint8)

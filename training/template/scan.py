"""A golden image as another photograph of the same part would show it: the honest kind of good part."""

from __future__ import annotations

import zlib
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

_SHIFT_PX = 3.0
_BLUR_PX = 1.0
_EDGE_SHARE = 0.15  # of the contrast; an edge blurred by 1 px moves by about 0.4 px for it
_GAIN, _OFFSET, _NOISE = 0.03, 4.0, 2.0

Pixels = NDArray[np.uint8]


def rescan(pixels: Pixels) -> Pixels:
    """Return uint8 (h, w) or (h, w, c) as if it had been photographed once more.

    Compared with itself a golden image would be a good part that proves nothing. So it lies up to 3 px (also by parts
    of a pixel) beside, and, where it has two levels, its edges move as another binarisation moves them; else gain,
    offset and noise differ. The content alone decides how, so that training and evaluation see the same picture.
    """
    random = np.random.default_rng(zlib.crc32(pixels.tobytes()))
    levels = two_levels(pixels)
    dy, dx = random.uniform(-_SHIFT_PX, _SHIFT_PX, 2)
    move = np.array([[1.0, 0.0, dx], [0.0, 1.0, dy]])
    size = (pixels.shape[1], pixels.shape[0])
    moved = cv2.warpAffine(pixels.astype(np.float32), move, size, borderMode=cv2.BORDER_REPLICATE)
    moved = moved.reshape(pixels.shape)
    if levels is None:
        moved = moved * random.uniform(1 - _GAIN, 1 + _GAIN) + random.uniform(-_OFFSET, _OFFSET)
        moved += random.normal(0.0, _NOISE, pixels.shape)
        return np.asarray(np.clip(np.rint(moved), 0, 255), dtype=np.uint8)
    low, high = levels
    contrast = float(high) - float(low)
    soft = cv2.GaussianBlur(moved, (0, 0), _BLUR_PX).reshape(pixels.shape)
    noise = cast(NDArray[np.float32], cv2.GaussianBlur(random.normal(size=size[::-1]).astype(np.float32), (0, 0), 1.5))
    noise *= _EDGE_SHARE * contrast / max(float(noise.std()), 1e-6)
    limit = (float(low) + float(high)) / 2 + random.uniform(-_EDGE_SHARE, _EDGE_SHARE) * contrast
    field = noise if pixels.ndim == 2 else noise[:, :, np.newaxis]
    return np.where(soft + field >= limit, np.uint8(high), np.uint8(low))


def two_levels(pixels: Pixels) -> tuple[int, int] | None:
    """Return the two levels of a binarised image, low then high; None for any other."""
    low, high = int(pixels.min()), int(pixels.max())
    return (low, high) if low < high and bool(((pixels == low) | (pixels == high)).all()) else None

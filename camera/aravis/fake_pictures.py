"""What the camera without hardware shows, in the bytes of each of its pixel formats."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from camera.aravis.numbered import draw
from camera.frame import Pixels
from camera.genicam.pfnc import bytes_per_row

_CACHED = 16
_BAYER = {"BayerRG8": "RGGB", "BayerGR8": "GRBG", "BayerGB8": "GBRG", "BayerBG8": "BGGR"}


class Pictures:
    """Images one after the other, or numbered pictures where there are none. Owned by the thread that draws.

    images: RGB, uint8 (H, W, 3), as large as the sensor; black where they are smaller.
    """

    def __init__(self, images: Sequence[Pixels]) -> None:
        self._images = images
        self._made: dict[tuple[object, ...], Pixels] = {}

    def picture(self, number: int, pixel_format: str, region: tuple[int, int, int, int]) -> Pixels:
        """Return picture `number` (from 1) as uint8 (height, bytes of a row); region: x, y, width, height of it."""
        x, y, width, height = region
        row_bytes = bytes_per_row(pixel_format, width)
        if not self._images:
            return draw(number, height, row_bytes)
        place = (number - 1) % len(self._images)
        key = (place, pixel_format, region)
        if key not in self._made:
            if len(self._made) >= _CACHED:
                self._made.clear()
            image = np.zeros((height, width, 3), np.uint8)
            part = self._images[place][y : y + height, x : x + width]
            image[: part.shape[0], : part.shape[1]] = part
            self._made[key] = np.ascontiguousarray(as_sent(image, pixel_format)).reshape(height, row_bytes)
        return self._made[key]


def as_sent(image: Pixels, pixel_format: str) -> Pixels:
    """Return an RGB image as a camera with this pixel format sends it, uint8. Raises KeyError for one it has not."""
    if pixel_format == "RGB8":
        return image
    if pixel_format in ("Mono8", "Mono16"):
        grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
        return grey if pixel_format == "Mono8" else (grey.astype("<u2") << 8).view(np.uint8)
    raw = np.empty(image.shape[:2], np.uint8)
    for place, colour in enumerate(_BAYER[pixel_format]):
        row, column = divmod(place, 2)
        raw[row::2, column::2] = image[row::2, column::2, "RGB".index(colour)]
    return raw

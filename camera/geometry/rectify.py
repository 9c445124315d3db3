"""Maps that take the lens and the perspective out of a window of the picture: made once, applied to each frame."""

from __future__ import annotations

import math
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.frame import Pixels
from camera.geometry.calibration import Calibration
from camera.geometry.errors import GeometryFileError
from camera.geometry.plane import to_belt_view
from camera.geometry.reference import Rectangle

Map = NDArray[np.float32]

NO_MAP: Any = None
"""The second map of a call whose first one has both coordinates; OpenCV's types do not know that it may be none."""


class Rectifier:
    """A window of the straight picture, and where in the camera's picture each of its pixels comes from. Immutable.

    Straight: without the lens's distortion and, where the calibration knows the belt, seen from right above, with
    `mm_per_px` everywhere. It has the size of the camera's picture, and in its middle the same scale.
    """

    def __init__(self, calibration: Calibration, window: Rectangle) -> None:
        self.calibration, self.window = calibration, window
        size = calibration.picture_size
        view = np.eye(3) if calibration.belt is None else to_belt_view(calibration.belt.plane, size)
        x, y, width, height = window
        from_window = np.linalg.inv(calibration.k) @ view @ np.array([(1.0, 0, x), (0, 1.0, y), (0, 0, 1.0)])
        horizontal, vertical = _maps(calibration, from_window, (width, height))
        self.source, self.missing_px = _source(horizontal, vertical, size)
        self.map: Map = cast(Map, cv2.merge([horizontal - self.source[0], vertical - self.source[1]]))
        self._whole, self._parts = cv2.convertMaps(self.map, NO_MAP, cv2.CV_16SC2)

    def apply(self, source: Pixels) -> Pixels:
        """Return the window, straight. source: the pixels of `source` in the camera's picture."""
        straight = cv2.remap(source, self._whole, self._parts, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return cast(Pixels, straight)


def straight_picture(calibration: Calibration, image: Pixels) -> Pixels:
    """Return a whole picture, straight; at its edges the last pixel that the camera saw is repeated."""
    width, height = calibration.picture_size
    if image.shape[:2] != (height, width):
        raise GeometryFileError(
            f"a picture of {image.shape[1]}×{image.shape[0]}, but the lens was calibrated with {width}×{height} — they "
            "must be the same — take pictures of that size"
        )
    rectifier = Rectifier(calibration, (0, 0, width, height))
    x, y, columns, rows = rectifier.source
    return rectifier.apply(image[y : y + rows, x : x + columns])


def _maps(calibration: Calibration, from_window: NDArray[np.float64], size: tuple[int, int]) -> tuple[Map, Map]:
    """Return where in the camera's picture each pixel of a window lies. Raises GeometryFileError for nowhere."""
    try:
        horizontal, vertical = cv2.initUndistortRectifyMap(
            calibration.k, np.array(calibration.distortion), np.linalg.inv(from_window), np.eye(3), size, cv2.CV_32FC1
        )
    except np.linalg.LinAlgError:
        horizontal = vertical = np.array([np.nan])
    if not (np.isfinite(horizontal).all() and np.isfinite(vertical).all()):
        raise GeometryFileError(
            f"the calibration of {calibration.date} puts pixels nowhere — its matrix, distortion and belt must be a "
            "camera's — make it anew with `lineward cameras calibrate`"
        )
    return cast(Map, horizontal), cast(Map, vertical)


def _source(horizontal: Map, vertical: Map, size: tuple[int, int]) -> tuple[Rectangle, float]:
    """Return which rectangle of the camera's picture is needed, and how far the maps reach out of the picture."""
    columns, rows = size
    left, right = float(horizontal.min()), float(horizontal.max())
    top, bottom = float(vertical.min()), float(vertical.max())
    missing = max(-left, -top, right - (columns - 1), bottom - (rows - 1), 0.0)
    x, y = (min(max(math.floor(value), 0), most - 1) for value, most in ((left, columns), (top, rows)))
    x1, y1 = min(columns, math.ceil(right) + 2), min(rows, math.ceil(bottom) + 2)
    return (x, y, max(1, x1 - x), max(1, y1 - y)), missing

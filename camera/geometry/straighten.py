"""From a camera's frame to the model's region in the part's own coordinates: lens, perspective and pose in one warp."""

from __future__ import annotations

import math
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.errors import PixelFormatError
from camera.frame import Pixels
from camera.geometry.calibration import Calibration
from camera.geometry.errors import GeometryFileError, NotLocatedError
from camera.geometry.fine import shrink
from camera.geometry.locate import Locator, corners_of
from camera.geometry.pose import Matrix, Pose, shrunk
from camera.geometry.rectify import NO_MAP, Map, Rectifier
from camera.geometry.reference import Rectangle, grey_of
from camera.pixels import frame_size, image_of

_BEYOND_PX = 1.0  # how far a region may reach beyond the picture: its last pixel is repeated there


class Straightener:
    """One view's region, free of lens and perspective, and turned back with its part. Immutable, for any thread.

    Each pixel of the region is interpolated once, from the camera's own pixels. Nothing outside of what the search and
    the region need is demosaiced or warped.
    """

    def __init__(
        self, region: Rectangle | None, calibration: Calibration | None = None, locator: Locator | None = None
    ) -> None:
        """Make the maps. region: in the straight picture, None for all of it; at least one of the others is given.

        Raises GeometryFileError where they do not fit each other.
        """
        if calibration is None and locator is None:
            raise ValueError("neither a calibration nor a locator: there is nothing to make straight")
        self.picture_size = _size(calibration, locator)
        self.region = region or (0, 0, *self.picture_size)
        _refuse_outside(self.region, self.picture_size)
        self._locator = locator
        self._window = self.region if locator is None else _window(self.region, locator)
        self._rectifier = None if calibration is None else Rectifier(calibration, self._window)
        if locator is None and self._rectifier is not None and self._rectifier.missing_px > _BEYOND_PX:
            raise GeometryFileError(
                f"region {self.region}: the lens saw nothing of some of it (its straight picture reaches "
                f"{self._rectifier.missing_px:.0f} px out of the camera's) — a smaller region is needed — mend [region]"
            )
        self._source = self._window if self._rectifier is None else self._rectifier.source

    def straighten(
        self, pixels: NDArray[Any], pixel_format: str, enough: tuple[int, int] | None = None
    ) -> tuple[Pixels, Pose | None]:
        """Return the region, uint8 (height, width) or (height, width, 3) RGB, and how the part lay.

        enough: rows and columns that are needed at least. A part's region that has twice as many, or four times, is
        averaged before it is warped: of 2448×2048 that takes half the time.

        pixels, pixel_format: a frame as `image_of` takes it, '' for an image. Raises NotLocatedError where the part
        does not lie where it may, or where a part of the region lies outside of the picture; PixelFormatError.
        """
        source = self._cut(pixels, pixel_format)
        if self._locator is None:
            assert self._rectifier is not None
            return self._rectifier.apply(source), None
        pose = self._locator.locate(self._search(source))
        matrix = pose.matrix(self._locator.reference.centre)
        x, y, width, height = self.region
        matrix[:, 2] += matrix[:, :2] @ (x, y) - self._window[:2]  # from the region's pixel to the window's
        self._refuse_beyond(pose)
        factor = _factor((height, width), enough)
        size = (width // factor, height // factor)
        small = shrink(source, factor)
        if self._rectifier is None:
            return _warp(small, shrunk(matrix, factor), size), pose
        composed = self._composed(matrix, factor, size)
        _refuse(_beyond(composed, small.shape) * factor, pose)
        straight = cv2.remap(small, composed, NO_MAP, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return cast(Pixels, straight), pose

    def _cut(self, pixels: NDArray[Any], pixel_format: str) -> Pixels:
        """Return the part of the frame that is needed, as an image."""
        is_image = pixel_format in ("", "Mono8", "RGB8")
        size = (pixels.shape[1], pixels.shape[0]) if is_image else frame_size(pixels, pixel_format)[::-1]
        if size != self.picture_size:
            raise PixelFormatError(
                f"a frame of {size[0]}×{size[1]} pixels, but lens and part were learned from pictures of "
                f"{self.picture_size[0]}×{self.picture_size[1]} — they must be the same — learn them anew, or set the "
                "camera's size"
            )
        if not is_image:
            return image_of(pixels, pixel_format, self._source)
        x, y, width, height = self._source
        part = cast(Pixels, pixels[y : y + height, x : x + width])
        return part[:, :, 0] if part.ndim == 3 and part.shape[2] == 1 else part

    def _search(self, source: Pixels) -> Pixels:
        """Return what the locator looks at: grey, straight."""
        assert self._locator is not None
        grey = grey_of(source)
        if self._rectifier is not None:
            grey = self._rectifier.apply(grey)
        x, y, width, height = self._locator.search_window
        left, top = x - self._window[0], y - self._window[1]
        return grey[top : top + height, left : left + width]

    def _composed(self, matrix: Matrix, factor: int, size: tuple[int, int]) -> Map:
        """Return the lens's map after the pose, from the small region to the small source."""
        assert self._rectifier is not None
        middle = (factor - 1) / 2
        spread = np.column_stack((matrix[:, :2] * factor, matrix @ (middle, middle, 1.0)))
        composed = cast(Map, _warp(self._rectifier.map, spread, size))
        return composed if factor == 1 else (composed - np.float32(middle)) / np.float32(factor)

    def _refuse_beyond(self, pose: Pose) -> None:
        """Raise NotLocatedError where the region, in this pose, reaches out of the straight picture."""
        assert self._locator is not None
        estimate = (math.radians(pose.angle_deg), pose.dx, pose.dy)
        corners = corners_of(self.region, estimate, self._locator.reference.centre)
        _refuse(max(float(-corners.min()), float((corners - self.picture_size).max()) + 1), pose)


def _refuse(beyond_px: float, pose: Pose) -> None:
    if beyond_px > _BEYOND_PX:
        raise NotLocatedError(
            f"the part lies at {pose.dx:.0f}, {pose.dy:.0f} px and {pose.angle_deg:.1f}°, where {beyond_px:.0f} px of "
            "its region are outside of the picture — it must be seen whole — choose a smaller region",
            pose,
        )


def _beyond(composed: Map, shape: tuple[int, ...]) -> float:
    """Return how far the edge of what a map reads lies beyond a picture of that shape, in its pixels."""
    edge = np.concatenate((composed[0], composed[-1], composed[:, 0], composed[:, -1]))
    return max(float(-edge.min()), float((edge - (shape[1] - 1, shape[0] - 1)).max()))


def _factor(size: tuple[int, int], enough: tuple[int, int] | None) -> int:
    """Return the highest power of two by which a size may be divided and is still enough, rows and columns."""
    factor = 1
    while enough is not None and all(have // (2 * factor) >= need for have, need in zip(size, enough, strict=True)):
        factor *= 2
    return factor


def _warp(picture: Any, matrix: Matrix, size: tuple[int, int]) -> Any:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(picture, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _size(calibration: Calibration | None, locator: Locator | None) -> tuple[int, int]:
    """Return the size of the pictures that both were made from. Raises GeometryFileError where they do not agree."""
    if locator is None:
        assert calibration is not None
        return calibration.picture_size
    digest = "" if calibration is None else calibration.digest
    learned = locator.reference.calibration
    if digest != learned:
        with_lens, now = (f"with the lens {learned}" if learned else "without a lens"), digest or "none"
        raise GeometryFileError(
            f"the part was learned {with_lens}, the camera has {now} — both must have the same — learn the part anew "
            "(`lineward cameras align-learn`, with --lens)"
        )
    size = locator.reference.picture_size
    if calibration is not None and calibration.picture_size != size:
        raise GeometryFileError(
            f"the lens is for pictures of {calibration.picture_size}, the part was learned from {size} — both must be "
            "the same — learn the part anew"
        )
    return size


def _refuse_outside(region: Rectangle, size: tuple[int, int]) -> None:
    x, y, width, height = region
    if x < 0 or y < 0 or x + width > size[0] or y + height > size[1]:
        raise GeometryFileError(
            f"region x={x} y={y} width={width} height={height} reaches out of a picture of {size[0]}×{size[1]} — it "
            "must lie inside — mend the region"
        )


def _window(region: Rectangle, locator: Locator) -> Rectangle:
    """Return what must be cut out: the search, and the region in every pose that the limits allow."""
    x, y, width, height = locator.search_window
    limits, centre = locator.limits, locator.reference.centre
    angles = np.linspace(-limits.max_angle_deg, limits.max_angle_deg, 37)
    places = np.concatenate([corners_of(region, (math.radians(angle), 0.0, 0.0), centre) for angle in angles])
    more = limits.max_shift_px + 2
    left, top = np.floor(np.minimum(places.min(0) - more, (x, y))).astype(int).tolist()
    right, bottom = np.ceil(np.maximum(places.max(0) + more + 1, (x + width, y + height))).astype(int).tolist()
    columns, rows = locator.reference.picture_size
    left, top = max(0, left), max(0, top)
    return left, top, min(columns, right) - left, min(rows, bottom) - top

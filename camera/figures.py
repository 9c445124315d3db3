"""How good a picture is, as figures: focus, exposure, light, detail and noise, of an image or of every frame of a line.

The figures of a line's frame are taken from strips of neighbouring rows at full resolution, spread over the region, so
that they cost the same for a large picture. Every function is pure; OpenCV works without Python's lock.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.errors import PixelFormatError
from camera.frame import Pixels
from camera.pixels import Rectangle, eight_bit_samples, frame_size

SATURATED = 250
"""Grey value from which on a sample counts as saturated: the upper 2 % of the range."""
DARK = 5
"""Grey value up to which a sample counts as black."""
CELLS = 8
"""The maps of light and detail have so many rows and columns."""

_STRIPS = 16  # two for each row of a map, one where rows are so wide that this would cost too much
_LEAST_ROWS = 4  # of a strip: a difference over two rows needs three
_SAMPLES = 80_000  # of one frame, about: enough for a focus to a per cent, at a tenth of what 1.2 MP would cost
_STEP = 2  # pixels; also the distance of two samples of the same colour in a Bayer pattern

Map = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Figures:
    """What one picture measures.

    focus: Brenner's measure over squared brightness. brightness: mean grey value, 0…255. saturated, dark: shares of the
    samples. x, y: where the detail of the picture has its centre, as shares of width and height. light: brightness of
    CELLS × CELLS places over the mean. detail: mean difference of neighbours there, over the mean brightness.
    """

    focus: float
    brightness: float
    saturated: float
    dark: float
    x: float
    y: float
    light: Map
    detail: Map


def strips(pixels: NDArray[Any], pixel_format: str = "", region: Rectangle | None = None) -> Pixels:
    """Return strips of rows of the region, uint8 (strips, rows, width, channels); a Bayer pattern stays a pattern.

    pixel_format: PFNC name, '' for an image. Raises PixelFormatError for what cannot be read, or a region outside.
    """
    if pixel_format:
        rows, columns = frame_size(pixels, pixel_format)
    else:
        rows, columns = pixels.shape[:2]
    x, y, width, height = region or (0, 0, columns, rows)
    if y < 0 or height < 1 or y + height > rows:
        raise PixelFormatError(
            f"rows {y} to {y + height} reach out of a frame of {rows} rows; mend the region in the configuration"
        )
    row = width * (pixels.shape[2] if pixels.ndim == 3 else 1)
    most = _STRIPS if _STRIPS * _LEAST_ROWS * row < 2 * _SAMPLES else CELLS
    count = max(1, min(most, height // _LEAST_ROWS))
    pitch = height // count
    size = min(pitch, max(_LEAST_ROWS, _SAMPLES // (count * row)))
    first = (pitch - size) // 2
    looked_at = pixels[y : y + count * pitch].reshape(count, pitch, *pixels.shape[1:])[:, first : first + size]
    stack = np.ascontiguousarray(looked_at).reshape(count * size, *pixels.shape[1:])
    samples = eight_bit_samples(stack, pixel_format, x, width)
    return np.ascontiguousarray(samples).reshape(count, size, width, -1)


def measure(pixels: NDArray[Any], pixel_format: str = "", region: Rectangle | None = None) -> Figures:
    """Measure one frame by its strips, raw or an image. Raises PixelFormatError."""
    stack = strips(pixels, pixel_format, region)
    mean = _mean(stack)
    detail = _detail(stack)
    x, y = centre(detail)
    return Figures(
        focus=_brenner(stack, mean),
        brightness=mean,
        saturated=_saturated(stack),
        dark=_dark(stack),
        x=x,
        y=y,
        light=_cells(_flat(stack)) / max(mean, 1.0),
        detail=detail / max(mean, 1.0),
    )


def focus(image: Pixels) -> float:
    """Return how sharp an image is, uint8 (H, W) or (H, W, C): Σ over both axes of mean (I(x+2) − I(x))², over mean².

    Brenner et al., "An automated microscope for cytologic research", J. Histochem. Cytochem. 24 (1976), in both
    directions; over the squared mean, so that twice the light leaves it as it is.
    """
    stack = _stacked(image)
    return _brenner(stack, _mean(stack))


def exposure(image: Pixels) -> tuple[float, float, float]:
    """Return mean grey value (0…255), the share of saturated samples, and that of black ones."""
    stack = _stacked(image)
    return _mean(stack), _saturated(stack), _dark(stack)


def histogram(image: Pixels) -> NDArray[np.int64]:
    """Return how many samples have each grey value, (256,)."""
    return np.bincount(image.ravel(), minlength=256).astype(np.int64)


def noise(one: Pixels, other: Pixels) -> float:
    """Return the temporal noise of two images of the same still scene: std of their difference over √2, grey values.

    EMVA Standard 1288, Release 4.0 Linear, section 6 (the temporal variance from a pair of images).
    """
    difference = np.subtract(one, other, dtype=np.int16)
    return float(difference.std() / sqrt(2.0))


def light_map(image: Pixels) -> Map:
    """Return the brightness of CELLS × CELLS places over the mean of all."""
    stack = _stacked(image)
    return _cells(_flat(stack)) / max(_mean(stack), 1.0)


def uniformity(image: Pixels) -> float:
    """Return the darkest place of the light's map over the brightest, 0…1; 1 is even light."""
    light = light_map(image)
    brightest = float(light.max())
    return float(light.min()) / brightest if brightest > 0 else 0.0


def centre(detail: Map) -> tuple[float, float]:
    """Return the centre of what stands out of the map's lower half, as shares of width and height; the middle if none.

    Noise and an even texture have the same detail everywhere: the (upper) median of the map is taken off.
    """
    middle = np.partition(detail.ravel(), detail.size // 2)[detail.size // 2]
    standing_out = np.maximum(detail - middle, 0.0)
    total = float(standing_out.sum())
    if total <= 0.0:
        return 0.5, 0.5
    return float(standing_out.sum(axis=0) @ _PLACES) / total, float(standing_out.sum(axis=1) @ _PLACES) / total


_PLACES = (np.arange(CELLS, dtype=np.float32) + 0.5) / CELLS


def _stacked(image: Pixels) -> Pixels:
    return np.ascontiguousarray(image).reshape(1, image.shape[0], image.shape[1], -1)


def _flat(stack: Pixels) -> Pixels:
    """Return the rows of all strips one below the other, the channels side by side."""
    count, rows, width, channels = stack.shape
    return stack.reshape(count * rows, width * channels)


def _mean(stack: Pixels) -> float:
    return float(cv2.mean(_flat(stack))[0])


def _saturated(stack: Pixels) -> float:
    flat = _flat(stack)
    return cv2.countNonZero(cv2.threshold(flat, SATURATED - 1, 255, cv2.THRESH_BINARY)[1]) / flat.size


def _dark(stack: Pixels) -> float:
    flat = _flat(stack)
    return cv2.countNonZero(cv2.threshold(flat, DARK, 255, cv2.THRESH_BINARY_INV)[1]) / flat.size


def _brenner(stack: Pixels, mean: float) -> float:
    count, rows, width, channels = stack.shape
    if mean <= 0.0 or rows <= _STEP or width <= _STEP:
        return 0.0
    flat, step = _flat(stack), _STEP * channels
    across = cv2.norm(flat[:, step:], flat[:, :-step], cv2.NORM_L2SQR) / (flat.shape[0] * (flat.shape[1] - step))
    strip, down = stack.reshape(count, rows * width * channels), _STEP * width * channels  # a strip as one long row
    along = cv2.norm(strip[:, down:], strip[:, :-down], cv2.NORM_L2SQR) / (count * (strip.shape[1] - down))
    return float((across + along) / (mean * mean))


def _detail(stack: Pixels) -> Map:
    """Return the mean of |I(x+2) − I(x)| of CELLS × CELLS places, in grey values."""
    flat, step = _flat(stack), _STEP * stack.shape[3]
    if flat.shape[1] <= step:
        return np.zeros((CELLS, CELLS), np.float32)
    return _cells(cv2.absdiff(flat[:, step:], flat[:, :-step]))


def _cells(flat: Any) -> Map:
    """Return the means of CELLS × CELLS places, float32; a rest of less than a cell's row or column is left out.

    Fewer rows or columns than cells: the cells of a place that has none are those of its neighbour.
    """
    rows, columns = flat.shape
    if rows < CELLS or columns < CELLS:
        flat = cv2.resize(flat, (max(columns, CELLS), max(rows, CELLS)), interpolation=cv2.INTER_NEAREST)
        rows, columns = flat.shape
    high, wide = rows // CELLS, columns // CELLS
    across = flat[: high * CELLS, : wide * CELLS].reshape(-1, wide)
    sums = cv2.reduce(across, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)
    totals = sums.reshape(CELLS, high, CELLS).sum(axis=1)
    return cast(Map, totals.astype(np.float32) / np.float32(high * wide))

"""Small pictures to look at: an image with what is known of it drawn over, as JPEG."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.errors import ImageError
from datasets.images import load_image
from datasets.sample import Sample

Pixels = NDArray[np.uint8]
_MASK_RGB, _MARK_RGB, _PLACE_RGB = (255, 40, 40), (255, 170, 0), (40, 140, 255)
_JPEG_QUALITY = 80


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture of at most `side` pixels: RGB (h, w, 3), the image's size, what is wrong with its mask."""

    pixels: Pixels
    width: int
    height: int
    trouble: str = ""

    def jpeg(self) -> bytes:
        """Return the picture as a JPEG file."""
        _, data = cv2.imencode(
            ".jpg", cv2.cvtColor(self.pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
        )
        return data.tobytes()


def make_thumbnail(sample: Sample, side: int) -> Thumbnail:
    """Return a sample's picture with its mask's outline (red), its marks (orange) and its place (blue).

    A mask of another size than its image is told of and not drawn. Raises ImageError where the image cannot be read.
    """
    image = load_image(sample.path)
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST)
    canvas: Pixels = np.array(cv2.cvtColor(small, cv2.COLOR_GRAY2RGB) if small.ndim == 2 else small, np.uint8)
    trouble = _draw_mask(canvas, sample.mask, (height, width)) if sample.mask is not None else ""
    factors = np.array([size[0] / width, size[1] / height])
    for mark in sample.marks:
        _draw(canvas, np.array(mark.outline, np.float64) * factors, _MARK_RGB)
    if sample.place is not None:
        x, y, w, h = sample.place.x, sample.place.y, sample.place.width, sample.place.height
        _draw(canvas, np.array([(x, y), (x + w, y), (x + w, y + h), (x, y + h)]) * factors, _PLACE_RGB)
    return Thumbnail(canvas, width, height, trouble)


def _draw_mask(canvas: Pixels, mask: Path, size: tuple[int, int]) -> str:
    try:
        marked = load_image(mask)
    except ImageError as error:
        return str(error)
    if marked.shape[:2] != size:
        return f"its mask has {marked.shape[1]}×{marked.shape[0]} pixels, the image {size[1]}×{size[0]}"
    flat = marked if marked.ndim == 2 else marked.max(axis=2)
    # The largest value of an area keeps a defect of one pixel in sight.
    area = cv2.dilate(np.where(flat > 0, 255, 0).astype(np.uint8), np.ones(_reach(flat.shape, canvas), np.uint8))
    shown = cv2.resize(area, (canvas.shape[1], canvas.shape[0]), interpolation=cv2.INTER_NEAREST)
    outlines, _ = cv2.findContours(shown, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(canvas, outlines, -1, _MASK_RGB, 1)
    return ""


def _reach(size: tuple[int, ...], canvas: Pixels) -> tuple[int, int]:
    return max(1, -(-size[0] // canvas.shape[0])), max(1, -(-size[1] // canvas.shape[1]))


def _draw(canvas: Pixels, outline: NDArray[np.float64], colour: tuple[int, int, int]) -> None:
    """Draw a closed line; of two corners, the box that they span."""
    points = outline
    if len(points) == 2:
        (x0, y0), (x1, y1) = points
        points = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    cv2.polylines(canvas, [np.rint(points).astype(np.int32).reshape(-1, 1, 2)], True, colour, 1)

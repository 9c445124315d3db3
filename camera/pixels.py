"""Raw camera pixels (GenICam PFNC formats) to the 8-bit grey or RGB image that the station and the datasets look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.errors import PixelFormatError
from camera.frame import Pixels
from camera.packed import lsb10, lsb12, outer
from camera.yuv import YUV

_BORDER = 2  # pixels that bilinear demosaicing looks beyond the region, kept even so that the pattern stays


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """How one row of a frame is laid out: groups of so many `pixels` in `size` bytes.

    top8: the upper 8 bits of each sample of uint8 (rows, groups × size) as uint8 (rows, groups × pixels).
    """

    pixels: int
    size: int
    top8: Callable[[Pixels], Pixels]
    bayer: int | None = None  # OpenCV's conversion to RGB


def _same(rows: Pixels) -> Pixels:
    return rows


def _shift(bits: int) -> Callable[[Pixels], Pixels]:
    """Return the reading of unpacked little-endian samples of so many bits in two bytes."""

    def top8(rows: Pixels) -> Pixels:
        words = (rows if rows.flags.c_contiguous else np.ascontiguousarray(rows)).view("<u2")
        result = np.empty(words.shape, np.uint8)
        np.right_shift(words, bits - 8, out=result, casting="unsafe")
        return result

    return top8


_DEPTHS: dict[str, tuple[int, int, Callable[[Pixels], Pixels]]] = {
    "8": (1, 1, _same),
    "10": (1, 2, _shift(10)),
    "12": (1, 2, _shift(12)),
    "16": (1, 2, _shift(16)),
    "10p": (4, 5, lsb10),
    "12p": (2, 3, lsb12),
    "10Packed": (2, 3, outer),
    "12Packed": (2, 3, outer),
}
_BAYER = {
    "BayerRG": cv2.COLOR_BayerRGGB2RGB,
    "BayerGB": cv2.COLOR_BayerGBRG2RGB,
    "BayerGR": cv2.COLOR_BayerGRBG2RGB,
    "BayerBG": cv2.COLOR_BayerBGGR2RGB,
}

SAMPLED: dict[str, PixelFormat] = {f"Mono{depth}": PixelFormat(*layout) for depth, layout in _DEPTHS.items()} | {
    f"{pattern}{depth}": PixelFormat(*layout, code)
    for pattern, code in _BAYER.items()
    for depth, layout in _DEPTHS.items()
}
"""Formats of one sample a pixel, grey or Bayer."""

FORMATS = (*SAMPLED, "RGB8", "BGR8", *YUV)
"""Every PFNC name that `image_of` reads."""

Rectangle = tuple[int, int, int, int]


def frame_size(pixels: NDArray[Any], pixel_format: str) -> tuple[int, int]:
    """Return rows and columns of a frame in pixels. Raises PixelFormatError for an array that the format cannot be."""
    layout = SAMPLED.get(pixel_format)
    right = pixels.dtype == np.uint8 and pixels.size > 0
    if layout is not None and pixels.ndim == 2:
        if pixels.dtype == np.uint16 and layout.size == 2:
            return pixels.shape[0], pixels.shape[1]
        columns = pixels.shape[1] * layout.pixels // layout.size
        if right and columns and (layout.pixels > 1 or pixels.shape[1] % layout.size == 0):
            return pixels.shape[0], columns
    elif right and pixel_format in ("RGB8", "BGR8") and pixels.ndim == 3 and pixels.shape[2] == 3:
        return pixels.shape[0], pixels.shape[1]
    elif right and pixel_format in YUV and pixels.ndim == 2 and pixels.shape[1] % 4 == 0:
        return pixels.shape[0], pixels.shape[1] // 2
    if pixel_format not in FORMATS:
        raise PixelFormatError(
            f"pixel format {pixel_format!r} is not read — one of {', '.join(FORMATS)} — set the camera to one of them"
        )
    raise PixelFormatError(
        f"pixels {pixels.dtype} {pixels.shape} are no {pixel_format} frame — uint8 (rows, bytes of a row) is needed, "
        "(rows, columns, 3) for RGB8 and BGR8 — mend the camera's driver"
    )


def image_of(pixels: NDArray[Any], pixel_format: str, region: Rectangle | None = None) -> Pixels:
    """Return the region of a frame as uint8 (H, W) grey or (H, W, 3) RGB; a view of the frame where nothing changes.

    pixels: uint8 (rows, bytes of a row) for raw formats, without padding at the end of a row (a strided view is fine);
    uint16 (rows, columns) is taken for unpacked formats of more than 8 bits, too. region: x, y, width, height in
    pixels, inside the frame: nothing outside it is read, but for the two pixels around it that a Bayer pattern needs.
    More than 8 bits: the upper 8 are kept (v >> bits − 8). Bayer: bilinear. YUV: see `camera.yuv`.
    Raises PixelFormatError.
    """
    rows, columns = frame_size(pixels, pixel_format)
    x, y, width, height = region or (0, 0, columns, rows)
    if x < 0 or y < 0 or width < 1 or height < 1 or x + width > columns or y + height > rows:
        raise PixelFormatError(
            f"region x={x} y={y} width={width} height={height} reaches out of a {columns}×{rows} frame; mend the "
            "region in the configuration"
        )
    layout = SAMPLED.get(pixel_format)
    if layout is None:
        return _colour(pixels, pixel_format, x, y, width, height)
    if layout.bayer is None:
        return _samples(pixels[y : y + height], layout, x, width)
    return _demosaic(pixels, layout, (x, y, width, height), (rows, columns))


def eight_bit_samples(rows: NDArray[Any], pixel_format: str, x: int, width: int) -> Pixels:
    """Return columns x … x + width of whole rows of a frame as samples of 8 bits, without demosaicing.

    uint8 (rows, width): grey, one sample of a Bayer pattern a pixel, or the luminance of YUV; (rows, width, 3) of RGB8,
    BGR8 and of an image ('') that is colour. Raises PixelFormatError.
    """
    columns = frame_size(rows, pixel_format)[1] if pixel_format else rows.shape[1]
    if x < 0 or width < 1 or x + width > columns:
        raise PixelFormatError(
            f"columns {x} to {x + width} reach out of a frame of {columns}; mend the region in the configuration"
        )
    layout = SAMPLED.get(pixel_format)
    if layout is not None:
        return _samples(rows, layout, x, width)
    if (yuv := YUV.get(pixel_format)) is not None:
        return rows[:, yuv.luminance :: 2][:, x : x + width]
    return rows[:, x : x + width]


def _samples(rows: NDArray[Any], layout: PixelFormat, x: int, width: int) -> Pixels:
    """Return columns x…x + width of some rows as 8-bit samples; only whole groups of packed pixels can be read."""
    if rows.dtype == np.uint16:
        return layout.top8(np.ascontiguousarray(rows[:, x : x + width]).view(np.uint8))
    first, last = x // layout.pixels, -(-(x + width) // layout.pixels)
    part = rows[:, first * layout.size : last * layout.size]
    missing = (last - first) * layout.size - part.shape[1]
    if missing:  # the last group of an odd row is cut short
        part = np.pad(part, ((0, 0), (0, missing)))
    skipped = x - first * layout.pixels
    return layout.top8(part)[:, skipped : skipped + width]


def _demosaic(pixels: NDArray[Any], layout: PixelFormat, region: Rectangle, size: tuple[int, int]) -> Pixels:
    """Demosaic the region with a border, cut at even places so that the pattern stays what it is."""
    x, y, width, height = region
    rows, columns = size
    if rows < 4 or columns < 4:
        raise PixelFormatError(f"a Bayer frame of {columns}×{rows} — at least 4×4 is needed — mend the camera's size")
    left, top = _first(x, columns), _first(y, rows)
    right, bottom = min(columns, x + width + _BORDER), min(rows, y + height + _BORDER)
    raw = _samples(pixels[top:bottom], layout, left, right - left)
    colour = cast(Pixels, cv2.cvtColor(raw, layout.bayer or 0))
    return colour[y - top : y - top + height, x - left : x - left + width]


def _first(start: int, size: int) -> int:
    """Return the even place to cut at: a border before the region, and at least four pixels of the frame after it."""
    return max(0, min(start - _BORDER, size - 4)) // 2 * 2


def _colour(pixels: Pixels, pixel_format: str, x: int, y: int, width: int, height: int) -> Pixels:
    if (yuv := YUV.get(pixel_format)) is not None:
        first, last = x // 2, -(-(x + width) // 2)
        return yuv.rgb(pixels[y : y + height, 4 * first : 4 * last])[:, x - 2 * first : x - 2 * first + width]
    part = pixels[y : y + height, x : x + width]
    return part if pixel_format == "RGB8" else cast(Pixels, cv2.cvtColor(part, cv2.COLOR_BGR2RGB))


@dataclass(frozen=True, slots=True)
class RawPicture:
    """A raw frame that becomes an image only when somebody looks: most passed parts' never do. Safe in any thread."""

    pixels: NDArray[Any]
    pixel_format: str

    @property
    def nbytes(self) -> int:
        """What the frame holds in memory, in bytes."""
        return int(self.pixels.nbytes)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the image; of a frame that cannot be read, rows and columns of its bytes."""
        layout = SAMPLED.get(self.pixel_format)
        try:
            size = frame_size(self.pixels, self.pixel_format)
        except PixelFormatError:
            return (*self.pixels.shape, 1, 1)[:2]
        return size if layout is not None and layout.bayer is None else (*size, 3)

    @property
    def ndim(self) -> int:
        """2 for grey, 3 for colour."""
        return len(self.shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Make the image, uint8 (H, W) or (H, W, 3) RGB. Raises ValueError: what cannot be read is no picture."""
        del copy
        try:
            image = image_of(self.pixels, self.pixel_format)
        except PixelFormatError as error:
            raise ValueError(str(error)) from error
        return image if dtype is None else image.astype(dtype)

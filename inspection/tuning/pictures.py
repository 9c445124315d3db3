"""The newest frame as JPEG: all of it, with what is overexposed marked, and a part of it pixel by pixel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from fastapi import APIRouter, Response
from numpy.typing import NDArray

from camera.errors import PixelFormatError
from camera.figures import SATURATED
from camera.frame import Pixels
from camera.pixels import Rectangle, image_of
from inspection.tuning.looking import Look, Looking

Mask = NDArray[np.bool_]

DETAIL = (128, 96)
"""Columns and rows of the part that is shown pixel by pixel."""

_LONGEST_SIDE = 1280
_QUALITY, _DETAIL_QUALITY = 82, 95
_MARK_BGR, _REGION_BGR, _SHADE_BGR = (255, 0, 255), (131, 214, 79), (0, 0, 0)
_FORGET = {"Cache-Control": "no-store"}


class TuningPictures:
    """Encodes when a browser asks, each look once; owned by the server, lives on its event loop."""

    def __init__(self, looking: Looking) -> None:
        self._looking = looking
        self._encoding = asyncio.Semaphore(1)  # one at a time: a slow PC shows fewer pictures, it does not fall behind
        self._kept: dict[str, tuple[int, bytes]] = {}
        self.router = APIRouter()
        self.router.add_api_route("/picture/{number}.jpg", self.picture)
        self.router.add_api_route("/detail/{number}.jpg", self.detail)

    async def picture(self, number: int, marks: bool = True) -> Response:
        """Return the newest picture, whatever number is asked for; 404 before the first."""
        del number
        return await self._answer(f"picture{marks}", lambda look: whole_picture(look, marks=marks))

    async def detail(self, number: int) -> Response:
        """Return the middle of the region (or of the picture), a pixel of the sensor as one of the image."""
        del number
        return await self._answer("detail", detail_of)

    async def _answer(self, kind: str, encode: Callable[[Look], bytes]) -> Response:
        async with self._encoding:
            look = self._looking.newest
            if look is None:
                return Response(status_code=404, headers=_FORGET)
            known = self._kept.get(kind)
            if known is None or known[0] != look.number:
                try:
                    known = look.number, await asyncio.to_thread(encode, look)
                except PixelFormatError:
                    return Response(status_code=404, headers=_FORGET)
                self._kept[kind] = known
        return Response(known[1], media_type="image/jpeg", headers={**_FORGET, "X-Look": str(known[0])})


def whole_picture(look: Look, *, marks: bool) -> bytes:
    """Return the picture as JPEG, at most 1280 pixels long; each overexposed pixel is seen, however small it gets."""
    image = image_of(look.frame.pixels, look.frame.pixel_format)
    scale = min(1.0, _LONGEST_SIDE / max(image.shape[:2]))
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if scale < 1.0 else image
    shown = cv2.cvtColor(small, cv2.COLOR_GRAY2BGR if small.ndim == 2 else cv2.COLOR_RGB2BGR)
    if marks:
        mask = overexposed(image, size)
        shown[mask] = _MARK_BGR
    if look.region is not None:
        x, y, width, height = (round(edge * scale) for edge in look.region)
        for colour, thickness in ((_SHADE_BGR, 5), (_REGION_BGR, 2)):
            cv2.rectangle(shown, (x, y), (x + width - 1, y + height - 1), colour, thickness)
    return _jpeg(shown, _QUALITY)


def overexposed(image: Pixels, size: tuple[int, int]) -> Mask:
    """Return where a picture of `size` (columns, rows) has overexposed pixels of the image, in whatever channel."""
    brightest = image if image.ndim == 2 else image.max(axis=2)
    mask = cv2.threshold(brightest, SATURATED - 1, 255, cv2.THRESH_BINARY)[1]
    if (image.shape[1], image.shape[0]) != size:
        step = -(-image.shape[1] // size[0])
        mask = cv2.resize(cv2.dilate(mask, np.ones((step, step), np.uint8)), size, interpolation=cv2.INTER_NEAREST)
    return np.asarray(mask > 0)


def detail_of(look: Look) -> bytes:
    """Return the middle of the region as JPEG, 128 × 96 pixels of the sensor, fewer in a smaller picture."""
    region = detail_region(look)
    image = image_of(look.frame.pixels, look.frame.pixel_format, region)
    return _jpeg(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR if image.ndim == 2 else cv2.COLOR_RGB2BGR), _DETAIL_QUALITY)


def detail_region(look: Look) -> Rectangle:
    """Return which part of the picture is shown pixel by pixel."""
    columns, rows = look.size
    x, y, width, height = look.region or (0, 0, columns, rows)
    across, down = min(DETAIL[0], columns), min(DETAIL[1], rows)
    left = min(max(0, x + (width - across) // 2), columns - across)
    top = min(max(0, y + (height - down) // 2), rows - down)
    return left, top, across, down


def _jpeg(image: Any, quality: int) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()

"""The addresses from which a browser fetches pictures: previews, stored rejects and their thumbnails."""

from __future__ import annotations

import asyncio

import cv2
import numpy as np
from fastapi import APIRouter, Response

from inspection.page.feed import REJECTS_SHOWN, StationFeed

_THUMBNAIL_WIDTH = 240
_THUMBNAIL_QUALITY = 80
_KEEP = {"Cache-Control": "private, max-age=86400, immutable"}
_FORGET = {"Cache-Control": "no-store"}


class Pictures:
    """Answers picture requests from the feed; owned by the server, lives on its event loop.

    Full images are fetched from the station when a browser asks, at most two at a time; only the thumbnails of the
    rejects that are on show are kept. A picture that is not to be had (the station is busy, or it was removed) is
    answered with nothing, 204: the browser marks its place and asks again, and its console tells of no error.
    """

    def __init__(self, feed: StationFeed) -> None:
        self._feed = feed
        self._fetching = asyncio.Semaphore(2)
        self._thumbnails: dict[str, bytes] = {}
        self.router = APIRouter()
        self.router.add_api_route("/preview/{number}.jpg", self.preview)
        self.router.add_api_route("/reject/{sequence}/{digest}/thumbnail", self.thumbnail)
        self.router.add_api_route("/reject/{sequence}/{digest}/image", self.image)

    async def preview(self, number: int) -> Response:
        """Return one of the newest previews; 404 when it has gone."""
        seen = self._feed.find_preview(number)
        if seen is None:
            return Response(status_code=404, headers=_FORGET)
        return Response(seen.message.jpeg, media_type="image/jpeg", headers=_FORGET)

    async def image(self, sequence: int, digest: str) -> Response:
        """Return the stored image of a reject that is on show; 204 while there is none."""
        found = await self._fetch(sequence, digest)
        if found is None:
            return Response(status_code=204, headers=_FORGET)
        data, content_type = found
        return Response(data, media_type=content_type, headers=_KEEP)

    async def thumbnail(self, sequence: int, digest: str) -> Response:
        """Return a small JPEG of a reject that is on show; 204 while there is none."""
        key = f"{sequence}/{digest}"
        if key not in self._thumbnails:
            found = await self._fetch(sequence, digest)
            small = await asyncio.to_thread(_shrink, found[0]) if found is not None else None
            if small is None:
                return Response(status_code=204, headers=_FORGET)
            while len(self._thumbnails) >= REJECTS_SHOWN:
                self._thumbnails.pop(next(iter(self._thumbnails)))
            self._thumbnails[key] = small
        return Response(self._thumbnails[key], media_type="image/jpeg", headers=_KEEP)

    async def _fetch(self, sequence: int, digest: str) -> tuple[bytes, str] | None:
        result = self._feed.find_reject(sequence)
        if result is None or result.record_hash[: len(digest)] != digest:
            return None
        async with self._fetching:
            found = await self._feed.reject_image(sequence)
        return found if found is not None and found[1].startswith("image/") else None


def _shrink(data: bytes) -> bytes | None:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_REDUCED_COLOR_2)
    if pixels is None:
        return None
    height, width = pixels.shape[:2]
    if width > _THUMBNAIL_WIDTH:
        size = (_THUMBNAIL_WIDTH, max(1, round(height * _THUMBNAIL_WIDTH / width)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _THUMBNAIL_QUALITY])
    return jpeg.tobytes()

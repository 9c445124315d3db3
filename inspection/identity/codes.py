"""Codes in a picture, by zxing-cpp: it is imported when a reader is made, and no sooner."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from importlib.util import find_spec
from typing import Any

import cv2
import numpy as np

from camera.errors import PixelFormatError
from camera.frame import Pixels
from camera.pixels import Rectangle, image_of
from inspection.config.identity import IdentitySection
from inspection.identity.errors import CodesMissingError
from inspection.identity.words import Code, Reading
from inspection.plain_text import printable

_NAMED_AT_MOST = 3
_SHOWN = 40


def check_installed() -> None:
    """Raise CodesMissingError when the extra that reads codes is not installed."""
    if find_spec("zxingcpp") is None:
        raise CodesMissingError(
            'identity.source is "code", but zxing-cpp is not installed — it comes with the extra lineward[codes] — '
            "install it with: pip install 'lineward[codes]', or choose another source"
        )


class CodeReader:
    """Finds the code of a part in a frame. Immutable, for any thread; the interpreter's lock is free while it looks."""

    def __init__(self, section: IdentitySection) -> None:
        """Raises CodesMissingError."""
        check_installed()
        import zxingcpp

        self._section = section
        self._library = zxingcpp
        self._formats = zxingcpp.BarcodeFormats([getattr(zxingcpp.BarcodeFormat, name) for name in section.formats])
        region = section.region
        self.region: Rectangle | None = None if region is None else region.region().rectangle

    def codes(self, pixels: Pixels, pixel_format: str = "") -> list[Code]:
        """Return every code of the formats in the region of a frame. Raises ValueError for what is no such frame.

        pixel_format: the PFNC name of raw pixels; '' for an image, uint8 (H, W) grey or (H, W, 3) RGB.
        """
        image = self._grey(pixels, pixel_format)
        thorough = self._section.thorough
        found = self._library.read_barcodes(
            image, formats=self._formats, try_rotate=True, try_downscale=thorough, try_invert=thorough
        )
        x, y = (0, 0) if self.region is None else self.region[:2]
        return [self._code(one, x, y) for one in found]

    def read(self, pixels: Pixels, pixel_format: str = "") -> Reading:
        """Return what the code of a part says. Raises ValueError for what is no frame, or ends before its region."""
        return chosen(self.codes(pixels, pixel_format), self._section.match, self._section.max_length)

    def _grey(self, pixels: Pixels, pixel_format: str) -> Pixels:
        colour = "RGB8" if pixels.ndim == 3 else "Mono8"
        try:
            image = image_of(pixels, pixel_format or colour, self.region)
        except PixelFormatError as error:
            raise ValueError(str(error)) from error
        if image.ndim == 3:
            return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
        return np.ascontiguousarray(image)

    @staticmethod
    def _code(found: Any, x: int, y: int) -> Code:
        place = found.position
        corners = (place.top_left, place.top_right, place.bottom_right, place.bottom_left)
        return Code(printable(found.text), found.format.name, tuple((x + one.x, y + one.y) for one in corners))


def chosen(codes: Sequence[Code], match: str, max_length: int) -> Reading:
    """Return the reading of the codes in a picture: the text of those that fit, if they all say the same.

    match: with * ? [0-9] as in a file's name. One that is too long is not cut off: two of those could become one.
    """
    texts = {code.text: code for code in codes if len(code.text) <= max_length and fnmatchcase(code.text, match)}
    if len(texts) == 1:
        (serial, code), *_ = texts.items()
        if serial.strip():
            return Reading(serial, code=code)
    if len(texts) > 1:
        named = ", ".join(f"'{text[:_SHOWN]}'" for text in list(texts)[:_NAMED_AT_MOST])
        return Reading(why=f"{len(texts)} different codes: {named}")
    if too_long := [len(code.text) for code in codes if len(code.text) > max_length]:
        return Reading(why=f"a code of {max(too_long)} characters; up to {max_length} are allowed")
    if codes:
        return Reading(why=f"the code '{codes[0].text[:_SHOWN]}' is none of those looked for")
    return Reading(why="no code was found")

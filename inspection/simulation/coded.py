"""Codes for the parts on the simulated belt: beside each part lies a strip with a DataMatrix of its number."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from camera.belt import chance
from camera.frame import Pixels
from camera.scene import Scene

STRIP = 160
"""How much wider the pictures are than those of the parts alone."""
_GREY, _SCALE, _QUIET = 150, 4, 8
_LIE = 20  # px that a code lies off its place at the most


class CodedScene:
    """The parts of another scene, each with its code in a strip to the right of it. Needs the extra lineward[codes].

    trouble_rate: share of parts whose strip is blank, or bears the code of the part before; half of them each.
    """

    def __init__(self, parts: Scene, seed: int, trouble_rate: float) -> None:
        from inspection.identity.codes import check_installed

        check_installed()
        self._parts, self._seed, self._trouble_rate = parts, seed, trouble_rate

    def render(self, part: int) -> Pixels:
        """Paint a part and its strip: uint8 (height, width + STRIP, 3) RGB."""
        picture = self._parts.render(part)
        strip = np.full((picture.shape[0], STRIP), _GREY, np.uint8)
        text = self.text(part)
        if text:
            code = _drawn(text)
            height, width = code.shape
            y = self._place("y", part, strip.shape[0] - height)
            x = self._place("x", part, STRIP - width)
            strip[y : y + height, x : x + width] = code
        return np.concatenate([picture, np.repeat(strip[..., None], 3, axis=2)], axis=1)

    def truth(self, part: int) -> str:
        """Tell what a part really is, whatever its code says."""
        return self._parts.truth(part)

    def text(self, part: int) -> str:
        """Tell what the code beside a part says; '' for none."""
        drawn = chance(self._seed, "code", part)
        if drawn < self._trouble_rate / 2:
            return ""
        number = part - 1 if drawn < self._trouble_rate and part > 1 else part
        return f"SIM-{self._seed}-{number:06d}"

    def _place(self, axis: str, part: int, room: int) -> int:
        """Return where a code begins that has so much room: in the middle, or a little off it."""
        off = round((2.0 * chance(self._seed, f"code {axis}", part) - 1.0) * min(_LIE, room // 2))
        return room // 2 + off


@lru_cache(maxsize=64)
def _drawn(text: str) -> Pixels:
    import zxingcpp

    code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.DataMatrix)
    return np.pad(np.array(code.to_image(scale=_SCALE), np.uint8), _QUIET, constant_values=255)

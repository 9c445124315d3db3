"""Parts with real codes on them: rendered by zxing-cpp, laid on the simulated belt, read by the station."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import zxingcpp
from challenged import belt_config

from camera.frame import Pixels
from inspection.config import StationConfig

HEIGHT, WIDTH = 240, 320
MODEL_REGION = {"x": 0, "y": 0, "width": 120, "height": HEIGHT}
CODE_REGION = {"x": 120, "y": 0, "width": 200, "height": HEIGHT}


def code_image(content: str | bytes, code_format: str = "DataMatrix", scale: int = 4) -> Pixels:
    """Draw a code with its quiet zone: uint8 (H, W), dark on white."""
    code = zxingcpp.create_barcode(content, getattr(zxingcpp.BarcodeFormat, code_format))
    drawn = np.array(code.to_image(scale=scale), np.uint8)
    return np.pad(drawn, 2 * scale, constant_values=255)


def on_part(code: Pixels, size: tuple[int, int] = (HEIGHT, CODE_REGION["width"]), grey: int = 160) -> Pixels:
    """Lay a code in the middle of a grey picture of (height, width)."""
    picture = np.full(size, grey, np.uint8)
    height, width = code.shape
    y, x = (size[0] - height) // 2, (size[1] - width) // 2
    picture[y : y + height, x : x + width] = code
    return picture


def turned(picture: Pixels, angle_deg: float) -> Pixels:
    """Turn a picture about its middle."""
    height, width = picture.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle_deg, 1.0)
    return np.asarray(cv2.warpAffine(picture, turn, (width, height), borderValue=160), np.uint8)


class CodedBelt:
    """What lies on the belt: dark parts, which are good, each with the code that `text` gives it; None: a blank one.

    A part whose text begins with "bad " is a bright one, which the model rejects; the code is what follows. The belt
    is followed by what it rendered: `texts`.
    """

    def __init__(self, text: Callable[[int], str | None], code_format: str = "DataMatrix") -> None:
        self._text, self._format = text, code_format
        self.texts: dict[int, str | None] = {}
        self._lock = threading.Lock()

    def truth(self, part: int) -> str:
        return "bad" if (self._of(part) or "").startswith("bad ") else "good"

    def render(self, part: int) -> Pixels:
        text = self._of(part)
        picture = np.full((HEIGHT, WIDTH), 230 if self.truth(part) == "bad" else 20, np.uint8)
        blank = np.full((HEIGHT, CODE_REGION["width"]), 160, np.uint8)
        picture[:, CODE_REGION["x"] :] = (
            blank if text is None else on_part(code_image(text.removeprefix("bad "), self._format))
        )
        return np.repeat(picture[..., None], 3, axis=2)

    def _of(self, part: int) -> str | None:
        with self._lock:
            return self.texts.setdefault(part, self._text(part))


def coded_config(folder: Path, bundle: str, identity: dict[str, Any], **changes: Any) -> StationConfig:
    """A station on such a belt; identity: its section. The model looks beside the code."""
    values: dict[str, Any] = {
        "challenge": {"required": False},
        "region": MODEL_REGION,
        "reactions": {"run_out_s": 0.2, "pulse_outside_window": "warn", "pulse_failed": "warn"},
        "identity": {"source": "code", "region": CODE_REGION, **identity} if "source" not in identity else identity,
    }
    return belt_config(folder, bundle, **{**values, **changes})

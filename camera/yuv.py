"""YUV 4:2:2 to RGB: an industrial camera's levels are 0 … 255 as those of Mono8, a video camera's are 16 … 235."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from camera.frame import Pixels

_PLACES = {  # of Y, V and U of two pixels among the four bytes that they share, as OpenCV's YCrCb wants them
    "YUYV": (0, 3, 1, 2, 3, 1),
    "UYVY": (1, 2, 0, 3, 2, 0),
}
_VIDEO = {"YUYV": cv2.COLOR_YUV2RGB_YUY2, "UYVY": cv2.COLOR_YUV2RGB_UYVY}


@dataclass(frozen=True, slots=True)
class Yuv:
    """Two pixels in four bytes: in which order, and whether black is 16 and white 235 (ITU-R BT.601)."""

    order: str
    is_video: bool = False

    @property
    def luminance(self) -> int:
        """The place of the first pixel's luminance among its pair's bytes; the second one's comes two bytes later."""
        return self.order.index("Y")

    def rgb(self, pairs: Pixels) -> Pixels:
        """Return uint8 (H, W, 3) of uint8 (H, bytes of W pixels), contiguous, W even.

        Full range: R = Y + 1.402 V, G = Y − 0.344 U − 0.714 V, B = Y + 1.772 U (ITU-T T.871), U and V less 128.
        """
        rows, width = pairs.shape[0], pairs.shape[1] // 2
        if self.is_video:
            return cast(Pixels, cv2.cvtColor(pairs.reshape(rows, width, 2), _VIDEO[self.order]))
        ycc = np.empty((rows, width // 2, 6), np.uint8)
        moves = [step for to, place in enumerate(_PLACES[self.order]) for step in (place, to)]
        cv2.mixChannels([pairs.reshape(rows, width // 2, 4)], [ycc], moves)
        return cast(Pixels, cv2.cvtColor(ycc.reshape(rows, width, 3), cv2.COLOR_YCrCb2RGB))


YUV: dict[str, Yuv] = {
    "YUV422_8": Yuv("YUYV"),
    "YUV422_8_UYVY": Yuv("UYVY"),
    "YCbCr422_8": Yuv("YUYV"),
    "YCbCr422_8_CbYCrY": Yuv("UYVY"),
    "YCbCr601_422_8": Yuv("YUYV", is_video=True),
    "YCbCr601_422_8_CbYCrY": Yuv("UYVY", is_video=True),
}
"""The formats by their PFNC names."""

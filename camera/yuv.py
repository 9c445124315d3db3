"""YUV 4:2:2 to RGB: an industrial camera's levels are 0 … 255 as those of Mono8, a video camera's are 16 … 235."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from camera.frame import Pixels
from camera.packed import planes, strip_rows, strips

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

    def rgb(self, rows: Pixels) -> Pixels:
        """Return uint8 (H, W, 3) of uint8 (H, bytes of W pixels), W even.

        Full range: R = Y + 1.402 V, G = Y − 0.344 U − 0.714 V, B = Y + 1.772 U (ITU-T T.871), U and V less 128.
        """
        samples = rows.reshape(rows.shape[0], -1, 2)
        if self.is_video:
            return cast(Pixels, cv2.cvtColor(samples, _VIDEO[self.order]))
        return _full_range(samples, self.luminance)


def _full_range(samples: Pixels, luminance: int) -> Pixels:
    """Return RGB of (H, W, 2), luminance and colour or the other way round, by OpenCV's conversion of YCrCb.

    Planes are made of the samples and woven again, each byte of colour twice: that is less work than moving bytes
    between interleaved channels, one after the other.
    """
    width, count = samples.shape[1], strip_rows(samples)
    result = np.empty((*samples.shape[:2], 3), np.uint8)
    room, halves = planes(4, count, width), planes(2, count, width // 2)
    ycc = planes(1, count, 3 * width)[0].reshape(count, width, 3)
    for strip in strips(samples):
        size = strip.stop - strip.start
        y, colour, u_twice, v_twice = (plane[:size] for plane in room)
        u, v = (plane[:size] for plane in halves)
        cv2.split(samples[strip], [colour, y] if luminance else [y, colour])
        cv2.split(colour.reshape(size, -1, 2), [u, v])
        cv2.merge([u, u], u_twice.reshape(size, -1, 2))
        cv2.merge([v, v], v_twice.reshape(size, -1, 2))
        cv2.merge([y, v_twice, u_twice], ycc[:size])
        cv2.cvtColor(ycc[:size], cv2.COLOR_YCrCb2RGB, dst=result[strip])
    return result


YUV: dict[str, Yuv] = {
    "YUV422_8": Yuv("YUYV"),
    "YUV422_8_UYVY": Yuv("UYVY"),
    "YCbCr422_8": Yuv("YUYV"),
    "YCbCr422_8_CbYCrY": Yuv("UYVY"),
    "YCbCr601_422_8": Yuv("YUYV", is_video=True),
    "YCbCr601_422_8_CbYCrY": Yuv("UYVY", is_video=True),
}
"""The formats by their PFNC names."""

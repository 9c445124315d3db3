"""What is seen in the newest frame: figures of the last minute, and the picture for the browsers."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from camera.errors import PixelFormatError
from camera.figures import histogram, measure, noise, strips
from camera.frame import Frame, Pixels
from camera.pixels import Rectangle, eight_bit_samples, frame_size
from inspection.tuning.curves import SPAN_S
from inspection.tuning.loop import TuningLoop
from inspection.tuning.sharpness import Sharpness

LOOKS_HZ = 10.0
FRESH_S = 3.0
FIGURES = ("focus", "mean", "saturated", "dark", "noise", "uniformity")

_NOISE_SIDE = 512  # pixels of the middle of the region: enough for the noise to a per cent
_WAIT_S = 0.2


@dataclass(frozen=True, slots=True)
class Look:
    """One frame that was looked at. figures: by the names in FIGURES; focus and noise are those of the region, the
    others of the whole picture. size: columns, rows. region: inside the picture; None for all of it.
    """

    number: int
    frame: Frame
    size: tuple[int, int]
    region: Rectangle | None
    figures: dict[str, float]
    histogram: NDArray[np.int64]


class Looking:
    """Looks at the newest frame, ten times a second at most, in a thread of its own. Read by the page.

    `history` keeps the looks of a minute and drops the oldest.
    """

    def __init__(self, loop: TuningLoop) -> None:
        self.newest: Look | None = None
        self.sharpness = Sharpness()
        self.history: deque[tuple[float, dict[str, float]]] = deque(maxlen=round(LOOKS_HZ * SPAN_S))
        self.trouble = ""
        self._loop = loop
        self._region: Rectangle | None = None
        self._forget = False
        self._before: Pixels | None = None
        self._number = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="looking", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Stop to look; bounded."""
        self._stopping.set()
        self._thread.join(5.0)

    def choose(self, region: Rectangle | None) -> None:
        """Take focus and noise from this region (x, y, width, height in pixels) from now on; None: from all."""
        self._region = region
        self.forget_best()

    def forget_best(self) -> None:
        """Let the best focus be found anew."""
        self._forget = True

    @property
    def region(self) -> Rectangle | None:
        """The region that was chosen."""
        return self._region

    @property
    def live(self) -> Look | None:
        """The newest look while it is fresh: what is older is never shown as present."""
        look = self.newest
        age_ns = 0 if look is None else time.monotonic_ns() - look.frame.received_host_ns
        return look if age_ns < FRESH_S * 1e9 else None

    def _run(self) -> None:
        next_s = 0.0
        try:
            while not self._stopping.wait(max(0.0, next_s - time.monotonic())):
                frame = self._loop.newest(_WAIT_S)
                if frame is not None:
                    next_s = time.monotonic() + 1 / LOOKS_HZ
                    self._look(frame)
        except Exception as error:  # noqa: BLE001 - the thread's edge: the page says it
            self.trouble = f"{type(error).__name__}: {error}"

    def _look(self, frame: Frame) -> None:
        try:
            rows, columns = frame_size(frame.pixels, frame.pixel_format)
            region = clipped(self._region, (columns, rows))
            if self._forget:
                self._forget, self._before = False, None
                self.sharpness.forget()
            figures = self._measured(frame, region, (columns, rows))
            counts = histogram(strips(frame.pixels, frame.pixel_format))
        except PixelFormatError as error:
            self.trouble = str(error)
            return
        self.trouble = ""
        self.sharpness.take(figures["focus"])
        self._number += 1
        self.history.append((frame.received_host_ns * 1e-9, figures))
        self.newest = Look(self._number, frame, (columns, rows), region, figures, counts)

    def _measured(self, frame: Frame, region: Rectangle | None, size: tuple[int, int]) -> dict[str, float]:
        whole = measure(frame.pixels, frame.pixel_format)
        focus = whole.focus if region is None else measure(frame.pixels, frame.pixel_format, region).focus
        brightest = float(whole.light.max())
        figures = {
            "focus": focus,
            "mean": whole.brightness,
            "saturated": whole.saturated,
            "dark": whole.dark,
            "uniformity": float(whole.light.min()) / brightest if brightest > 0 else 0.0,
        }
        samples = _middle(frame, region or (0, 0, *size))
        if self._before is not None and self._before.shape == samples.shape:
            figures["noise"] = noise(samples, self._before)
        self._before = samples
        return figures


def clipped(region: Rectangle | None, size: tuple[int, int]) -> Rectangle | None:
    """Return the part of a region that lies in a picture of columns × rows, at least 8×8 pixels; None for all."""
    if region is None:
        return None
    columns, rows = size
    x, y = max(0, min(region[0], columns - 8)), max(0, min(region[1], rows - 8))
    width = max(min(8, columns), min(region[0] + region[2], columns) - x)
    height = max(min(8, rows), min(region[1] + region[3], rows) - y)
    return x, y, width, height


def _middle(frame: Frame, region: Rectangle) -> Pixels:
    """Return a copy of the samples in the middle of the region, at most 512 × 512."""
    x, y, width, height = region
    across, down = min(width, _NOISE_SIDE), min(height, _NOISE_SIDE)
    top = y + (height - down) // 2
    rows = frame.pixels[top : top + down]
    return np.array(eight_bit_samples(rows, frame.pixel_format, x + (width - across) // 2, across))

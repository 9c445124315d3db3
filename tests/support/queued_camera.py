"""A camera at the other end of a queue: exposures and losses come when the test puts them in."""

from __future__ import annotations

import queue
from collections.abc import Callable

from camera.frame import BrokenFrame, Frame, Pixels
from camera.interface import Camera
from inspection.camera_presence import CameraEvents


class QueuedCamera(Camera):
    """Gives what stands in `exposures`, and raises what is an exception."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.exposures: queue.Queue[Frame | BrokenFrame | Exception] = queue.Queue()

    def _open(self) -> None: ...

    def _start(self) -> None: ...

    def _grab(self, into: Pixels | None, timeout_s: float) -> Frame | BrokenFrame | None:
        try:
            item = self.exposures.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if isinstance(item, Exception):
            raise item
        return item

    def _stop(self) -> None: ...

    def _close(self) -> None: ...


def events_in_words(tell: Callable[[str], object]) -> CameraEvents:
    """Return events that are told as words: "lost: …", "recovered", or what a thread failed of."""
    return CameraEvents(
        lost=lambda error: tell(f"lost: {error}"),
        recovered=lambda: tell("recovered"),
        failed=lambda text: tell(f"failed: {text}"),
    )

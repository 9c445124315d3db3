"""The station's side of a camera, without a model: the loop that every camera has, and frames that stay for a while."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from camera.errors import CameraError
from camera.frame import BrokenFrame, Frame
from camera.interface import Camera
from inspection.bench.cameras.tally import Tally
from inspection.camera_loop import CameraLoop
from inspection.camera_presence import CameraEvents

_KEPT = 8  # as many as two workers with batches of four look at


class StationSide(CameraLoop):
    """Grabs as a station does. The main thread looks and waits; the tally belongs to the grabbing thread."""

    def __init__(self, camera: Camera, tally: Tally | None = None) -> None:
        super().__init__(camera, lambda _timeout_s: True, CameraEvents(self._was_lost, self._is_back, self._has_failed))
        self.tally = tally
        self.frames = self.losses = 0
        self.lost_host_ns = self.back_host_ns = self.last_host_ns = self.first_after_host_ns = 0
        self.why: CameraError | None = None
        self.hops_ns: list[int] = []
        self._failed = ""
        self._kept: deque[Frame] = deque(maxlen=_KEPT)
        self._changed = threading.Condition()

    def take(self, frame: Frame) -> None:
        """Keep it for a while, as parts in work do."""
        self.last_host_ns = time.monotonic_ns()
        self.frames += 1
        self._kept.append(frame)
        if self.tally is not None:
            self.tally.frame(frame.device_ns, frame.lost_before)
            self.hops_ns.append(self.last_host_ns - frame.received_host_ns)
            return
        with self._changed:
            if self.lost_host_ns and not self.first_after_host_ns:
                self.first_after_host_ns = self.last_host_ns
            self._changed.notify_all()

    def miss(self, broken: BrokenFrame) -> None:
        """Count it."""
        if self.tally is not None:
            self.tally.broke(broken.lost_before)

    def reopening(self) -> None:
        """Nothing is numbered here."""

    def wait(self, what: str, holds: Callable[[], bool], timeout_s: float) -> None:
        """Wait until something holds that a frame or a loss changes. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: holds() or bool(self._failed), timeout_s):
                raise TimeoutError(f"camera '{self.camera.name}': {what} did not come within {timeout_s:g} s")
        if self._failed:
            raise RuntimeError(self._failed)

    def _was_lost(self, error: CameraError) -> None:
        with self._changed:
            self.losses += 1
            if not self.lost_host_ns:
                self.lost_host_ns, self.why = time.monotonic_ns(), error
            self._changed.notify_all()

    def _is_back(self) -> None:
        with self._changed:
            self.back_host_ns = time.monotonic_ns()
            self._changed.notify_all()

    def _has_failed(self, text: str) -> None:
        with self._changed:
            self._failed = text
            self._changed.notify_all()

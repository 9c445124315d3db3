"""The camera's two threads: triggers give birth to parts, frames find them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from camera.errors import CameraError
from camera.frame import Frame, Trigger
from camera.interface import Camera
from inspection.pipeline.frame_pool import FramePool
from inspection.pipeline.tracker import PartInFlight, PartTracker


class Line:
    """Drives one camera for the station: opens it, follows its triggers and frames, opens it again when it was lost.

    Owned by the station. A part's number is the trigger's number of the device plus an offset that grows with each
    reopening, so that no number comes twice. `on_matched` gets each part with its frame. A source that waits for the
    host is asked for a frame only when `wait_for_room` says that the queue has room; a real camera never waits.
    """

    _WAIT_S = 0.1
    _POOL_FRAMES = 24
    _RETRY_S = (0.2, 0.5, 1.0, 2.0)

    def __init__(
        self,
        camera: Camera,
        tracker: PartTracker,
        on_matched: Callable[[PartInFlight, Frame], None],
        wait_for_room: Callable[[float], bool],
        on_lost: Callable[[str], None],
        on_recovered: Callable[[], None],
        on_failure: Callable[[str], None],
    ) -> None:
        self.camera = camera
        self.reopened = 0
        self._tracker = tracker
        self._on_matched = on_matched
        self._wait_for_room = wait_for_room
        self._on_lost = on_lost
        self._on_recovered = on_recovered
        self._on_failure = on_failure
        self._offset = 0
        self._highest = 0
        self._mend_host_ns = 0
        self._last_frame: Frame | None = None
        self._pool = FramePool(self._POOL_FRAMES)
        self._stopping = threading.Event()
        self._lost = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start acquisition and the threads that follow it. Raises CameraError when it cannot start."""
        self._stopping.clear()
        self.camera.start()
        loops = [("grab", self._grab_loop)]
        if self.camera.reports_triggers:
            loops.append(("trigger", self._trigger_loop))
        self._threads = [threading.Thread(target=loop, name=name, daemon=True) for name, loop in loops]
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Stop acquisition and both threads; bounded. Parts in flight go on."""
        self._stopping.set()
        self.camera.stop()
        for thread in self._threads:
            thread.join(timeout_s)
        self._threads = []

    @property
    def lost(self) -> bool:
        """True while the camera is lost; a line that was stopped meanwhile opens it with `mend`."""
        return self._lost.is_set()

    def mend(self) -> None:
        """Try once to open a camera that was still lost when the line was stopped; at most one attempt a second."""
        now_host_ns = time.monotonic_ns()
        if now_host_ns < self._mend_host_ns:
            return
        self._mend_host_ns = now_host_ns + 1_000_000_000
        try:
            self.camera.open()
        except CameraError:
            self.camera.close()
            return
        self._offset = self._highest
        self._opened_again()

    @property
    def exhausted(self) -> bool:
        """True once a finite source has given everything."""
        return self.camera.exhausted

    def _grab_loop(self) -> None:
        try:
            while not self._stopping.is_set():
                if self.camera.waits_for_host and not self._wait_for_room(self._WAIT_S):
                    continue
                try:
                    frame = self._grab()
                except CameraError as error:
                    self._recover(error)
                    continue
                if frame is not None:
                    self._take(frame)
        except Exception as error:  # noqa: BLE001 - the thread's edge: the station is told and stops passing parts
            self._on_failure(f"{type(error).__name__}: {error}")

    def _grab(self) -> Frame | None:
        try:
            frame = self.camera.grab(self._pool.free_buffer(), self._WAIT_S)
        except ValueError:  # a frame larger than those before
            frame = self.camera.grab(None, self._WAIT_S)
        if frame is not None:
            self._pool.learn(frame.pixels)
        return frame

    def _trigger_loop(self) -> None:
        try:
            while not self._stopping.is_set():
                try:
                    trigger = self.camera.wait_trigger(self._WAIT_S)
                except CameraError:
                    self._lost.wait(self._WAIT_S)  # the grabbing thread opens the camera again
                    continue
                if trigger is not None:
                    self._born(trigger)
        except Exception as error:  # noqa: BLE001 - the thread's edge: the station is told and stops passing parts
            self._on_failure(f"{type(error).__name__}: {error}")

    def _born(self, trigger: Trigger) -> None:
        number = trigger.number + self._offset
        self._highest = max(self._highest, number)
        early = self._tracker.on_trigger(replace(trigger, number=number), self.camera.truth(trigger.number))
        if early is not None:
            self._on_matched(*early)

    def _take(self, frame: Frame) -> None:
        number = frame.counter + self._offset
        if not self.camera.reports_triggers:
            self._infer_triggers(frame)
        if frame.lost_before:
            self._tracker.on_frames_lost(number - frame.lost_before, number - 1)
        part = self._tracker.on_frame(number, frame)
        if part is not None:
            self._on_matched(part, frame)
        self._last_frame = frame

    def _infer_triggers(self, frame: Frame) -> None:
        """Take the counter for the trigger: one part per count, lost frames spread evenly since the last frame."""
        count = frame.lost_before + 1
        since_host_ns = frame.received_host_ns if self._last_frame is None else self._last_frame.received_host_ns
        step_ns = (frame.received_host_ns - since_host_ns) // count
        for place in range(1, count + 1):
            self._born(Trigger(frame.counter - count + place, since_host_ns + place * step_ns))

    def _recover(self, error: CameraError) -> None:
        """Close and open the camera until it works again or the line is stopped."""
        self._lost.set()
        self._on_lost(str(error))
        self.camera.close()
        attempt = 0
        while not self._stopping.wait(self._RETRY_S[min(attempt, len(self._RETRY_S) - 1)]):
            attempt += 1
            try:
                self.camera.open()
                self._offset = self._highest  # before a trigger can come
                self.camera.start()
            except CameraError:
                self.camera.close()
                continue
            self._opened_again()
            return

    def _opened_again(self) -> None:
        self.reopened += 1
        self._last_frame = None
        self._lost.clear()
        self._on_recovered()

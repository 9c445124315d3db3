"""The camera while it is tuned: one thread grabs, keeps the newest frame, and does what the page asks of the device."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from camera.errors import CameraError, CameraLostError, NodeError
from camera.frame import BrokenFrame, ClockReading, Frame
from camera.genicam.nodes import Nodes
from camera.genicam.settings import LIGHT
from camera.interface import Camera
from inspection.camera_loop import CameraLoop
from inspection.camera_presence import CameraEvents
from inspection.offline.asking import Asking
from inspection.tuning import settings
from inspection.tuning.errors import TuningError

if TYPE_CHECKING:
    from inspection.cli.camera_choice import Choice

T = TypeVar("T")

PICTURES_HZ = 10.0
"""How often a camera that waits for the PC is asked for a picture."""

_MOST_ORDERS = 8
_CLOCK_EVERY_S = 5.0
_RATE_OVER_S = 3.0
_ONCE_S = 10.0


class TuningLoop(CameraLoop):
    """Owns the camera that is tuned. `newest` is one frame deep: a newer one takes its place, and is counted in
    `skipped` where nobody had looked at it. Orders wait in a queue of eight; one more is refused.

    changed: the options that were changed since the beginning, as the station's file would say them.
    """

    def __init__(self, choice: Choice, camera: Camera) -> None:
        super().__init__(camera, self._is_due, CameraEvents(lambda _error: None, lambda: None, self._ended_by))
        self.choice = choice
        self.changed: dict[str, Any] = {}
        self.settings = settings.Settings()
        self.skipped = 0
        self.trouble = ""
        self._asking = Asking(camera)
        self._next_host_ns = 0
        self._orders: queue.Queue[Callable[[], None]] = queue.Queue(_MOST_ORDERS)
        self._fresh = threading.Condition()
        self._newest: Frame | None = None
        self._arrivals: deque[int] = deque(maxlen=1000)
        self._clock: ClockReading | None = None
        self._clock_host_ns = 0
        self._once: settings.Once | None = None

    # ------------------------------------------------------------ what the page asks, from any thread

    def newest(self, timeout_s: float) -> Frame | None:
        """Wait for a frame that was not taken yet and take it; None when none came in time."""
        with self._fresh:
            self._fresh.wait_for(lambda: self._newest is not None, timeout_s)
            frame, self._newest = self._newest, None
            return frame

    def order(self, what: Callable[[], T]) -> Future[T]:
        """Have something done with the device between two frames. Raises TuningError while that is not possible."""
        if self.lost:
            raise TuningError("the camera is lost: nothing can be set; wait until it is back")
        answer: Future[T] = Future()

        def run() -> None:
            if not answer.set_running_or_notify_cancel():
                return
            try:
                answer.set_result(what())
            except (CameraError, TuningError, OSError) as error:
                answer.set_exception(error)
                if isinstance(error, CameraLostError):
                    raise

        try:
            self._orders.put_nowait(run)
        except queue.Full:
            raise TuningError(f"{_MOST_ORDERS} changes wait already; wait until they are done") from None
        return answer

    def set(self, wanted: Mapping[str, object]) -> None:
        """Write options of the light and read the device back. An order's."""
        self.changed.update(settings.write(self._nodes(), wanted, self.camera.name))
        self.settings = settings.read(self.camera.nodes)

    def run_once(self, name: str) -> None:
        """Begin an automatic function that ends by itself. An order's."""
        self._once = settings.Once(self._nodes(), name, _ONCE_S)

    def open_with(self, changes: Mapping[str, object]) -> None:
        """Open the camera with other options (pixel format, region): what cannot be written while it runs. An order's.

        When the device refuses, the camera is as before, and CameraError says why.
        """
        options = {**self.choice.options, **self.changed, **changes}
        fresh, before = replace(self.choice, options=options).make(), self.camera
        before.close()
        try:
            fresh.open()
        except CameraError:
            fresh.close()
            before.open()
            self._write_changed()
            before.start()
            raise
        self.camera = fresh
        self.changed.update(changes)
        self._asking = Asking(fresh)
        self.camera.start()
        self.started()

    def while_stopped(self, what: Callable[[Camera], T]) -> T:
        """Do something that needs a device that acquires nothing. An order's."""
        self.camera.stop()
        try:
            return what(self.camera)
        finally:
            self.camera.start()
            self.started()

    @property
    def running_once(self) -> str:
        """The automatic function that runs at the moment; '' for none."""
        once = self._once
        return "" if once is None else once.name

    @property
    def frames_per_s(self) -> float:
        """How many frames came in the last seconds, per second."""
        since_ns = time.monotonic_ns() - round(_RATE_OVER_S * 1e9)
        came = [at_ns for at_ns in tuple(self._arrivals) if at_ns >= since_ns]
        return (len(came) - 1) / ((came[-1] - came[0]) * 1e-9) if len(came) > 1 and came[-1] > came[0] else 0.0

    def latency_ms(self, frame: Frame) -> float | None:
        """Return how long after the device's time stamp a frame was here; None where nobody can tell its clock."""
        clock = self._clock
        if clock is None or frame.device_ns is None:
            return None
        host_ns = (clock.before_host_ns + clock.after_host_ns) // 2
        return max(0.0, (frame.received_host_ns - host_ns - (frame.device_ns - clock.device_ns)) * 1e-6)

    # ------------------------------------------------------------ on the grabbing thread

    def prepare(self) -> None:
        """Do what was ordered, ask the clock now and then, and ask for a picture where the camera waits for that."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._orders.get_nowait()()
        self._follow_once()
        now_host_ns = time.monotonic_ns()
        if now_host_ns - self._clock_host_ns > _CLOCK_EVERY_S * 1e9:
            self._ask_clock()
        if self.camera.takes_software_trigger and now_host_ns >= self._next_host_ns:
            self._next_host_ns = now_host_ns + round(1e9 / PICTURES_HZ)
            self._asking.ask()

    def take(self, frame: Frame) -> None:
        """Keep the frame as the newest."""
        self._asking.answered()
        self._arrivals.append(frame.received_host_ns)
        with self._fresh:
            self.skipped += self._newest is not None
            self._newest = frame
            self._fresh.notify_all()

    def miss(self, broken: BrokenFrame) -> None:
        """Note an exposure without a whole picture; the history counts it."""
        del broken
        self._asking.answered()

    def reopening(self) -> None:
        """Bring a camera that was away to what was set before."""
        self._asking = Asking(self.camera)
        self._once = None
        self._write_changed()

    def started(self) -> None:
        """Look at the device that has just started."""
        self._arrivals.clear()
        self._ask_clock()
        self.settings = settings.read(self.camera.nodes)

    def _write_changed(self) -> None:
        light = {key: value for key, value in self.changed.items() if key in LIGHT}
        if light:
            settings.write(self._nodes(), light, self.camera.name)

    def _follow_once(self) -> None:
        once = self._once
        if once is None:
            return
        try:
            if once.has_ended(self._nodes()):
                self._once = None
                self.settings = settings.read(self.camera.nodes)
                self.changed.update(settings.outcome_of_once(self.settings))
        except NodeError as error:
            self._once, self.trouble = None, str(error)

    def _ask_clock(self) -> None:
        self._clock_host_ns = time.monotonic_ns()
        self._clock = self.camera.read_clock()

    def _nodes(self) -> Nodes:
        nodes = self.camera.nodes
        if nodes is None:
            raise TuningError("this camera has no features that could be set; its options are in the station's file")
        return nodes

    def _is_due(self, timeout_s: float) -> bool:
        """Pace a source that waits for the host, as a recording does."""
        wait_s = (self._next_host_ns - time.monotonic_ns()) * 1e-9
        if wait_s > 0 and self.wait_stopping(min(wait_s, timeout_s)):
            return False
        if time.monotonic_ns() < self._next_host_ns:
            return False
        self._next_host_ns = time.monotonic_ns() + round(1e9 / PICTURES_HZ)
        return True

    def _ended_by(self, what: str) -> None:
        self.trouble = what

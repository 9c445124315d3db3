"""A camera that does not give the triggers: its frames are matched with the parts that others gave birth to."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from camera.errors import CameraError
from camera.frame import BrokenFrame, Frame
from camera.interface import Camera
from inspection.camera_loop import CameraLoop
from inspection.camera_presence import CameraEvents
from inspection.flow import PartFlow


class ViewLine(CameraLoop):
    """Hands each frame to the flow, which finds its part by place and counter. view: which view of a part it shows.

    photo_eye: called with the moment (host ns) at which a part crosses the photo-eye of a simulated belt, where that is
    wired to a simulated controller, as it would be on a line.
    """

    _CLOCK_S = 1.0

    def __init__(
        self,
        camera: Camera,
        flow: PartFlow,
        view: int,
        wait_for_room: Callable[[float], bool],
        events: CameraEvents,
        photo_eye: Callable[[int], None] | None = None,
    ) -> None:
        super().__init__(camera, wait_for_room, events)
        self._flow = flow
        self._view = view
        self._photo_eye = photo_eye

    def cease(self) -> None:
        """Take frames as before: a device does not know which part it has to see last; a simulated belt does."""
        if self.camera.reports_triggers:
            self.cease_exposing()
        super().cease()

    def loops(self) -> dict[str, Callable[[], None]]:
        """Grab, ask for the clock, and let the photo-eye see the parts of a simulated belt."""
        photo_eye = {} if self._photo_eye is None else {"photo-eye": self._watch_belt}
        return super().loops() | {"clock": self._ask_clock} | photo_eye

    def _watch_belt(self) -> None:
        assert self._photo_eye is not None
        while not self.stopping:
            try:
                crossed = self.camera.wait_trigger(self.WAIT_S)
            except CameraError:
                self.wait_while_lost()
                continue
            if crossed is not None:
                self._photo_eye(crossed.host_ns)

    def started(self) -> None:
        """Hold the camera's clock against ours, where it can be asked: so the very first frame can be placed."""
        reading = self.camera.read_clock()
        if reading is not None:
            self._flow.on_view_clock(self._view, reading)

    def _ask_clock(self) -> None:
        """Ask again and again, for by its frames alone it seems late by what a frame takes to come.

        In a thread of its own: a device that has gone keeps whoever asks waiting for seconds, and frames must not wait.
        """
        while not self.wait_stopping(self._CLOCK_S):
            if not self.lost:
                with suppress(CameraError):  # a camera that has gone is noticed by its frames
                    self.started()

    def take(self, frame: Frame) -> None:
        """Have the frame matched and scored."""
        self._flow.on_view_frame(self._view, frame)

    def miss(self, broken: BrokenFrame) -> None:
        """Have its part found, which gets no picture."""
        self._flow.on_view_frame(self._view, broken)

    def reopening(self) -> None:
        """Forget what the camera counted before."""
        self._flow.on_view_restarted(self._view)

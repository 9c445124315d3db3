"""The first camera: its triggers give birth to parts, its frames find them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from camera.errors import CameraError
from camera.frame import BrokenFrame, Frame, Trigger
from camera.interface import Camera
from inspection.camera_loop import CameraLoop
from inspection.camera_presence import CameraEvents
from inspection.flow import PartFlow


class Line(CameraLoop):
    """Follows the triggers and the frames of the camera that sees each part first.

    A part's number is the trigger's number of the device plus an offset that grows with each reopening, so that no
    number comes twice. frames_per_part: how many exposures of each part the camera makes, one after the other: they are
    the views 0 … frames_per_part − 1.

    A frame, or its loss, may come before the trigger was told of: the driver's call returns late, or its two messages
    overtake each other. The flow keeps it for the part that is born next, and until the camera is opened again.

    Of a camera that tells of no triggers, the first exposure after each start begins a part.
    """

    _TELL_S = 0.5

    def __init__(
        self,
        camera: Camera,
        flow: PartFlow,
        frames_per_part: int,
        wait_for_room: Callable[[float], bool],
        events: CameraEvents,
    ) -> None:
        super().__init__(camera, wait_for_room, events)
        self._flow = flow
        self._frames_per_part = frames_per_part
        self._offset = 0
        self._highest = 0
        self._since_host_ns = 0  # the last exposure, or the start after it
        self._is_first = True  # of a start, the exposure that comes next
        self._shift = 0  # exposures that parts lack which a stop cut off
        self._numbering = threading.Lock()  # from a trigger of the camera to the birth of its part no number changes

    def trigger(self) -> int | None:
        """Trigger a camera that is triggered by software, and give birth to the part at once: the host knows of it."""
        if not self.camera.takes_software_trigger:
            return None
        with self._numbering:
            trigger = self.camera.trigger()
            return None if trigger is None else self.born(trigger)

    def cease(self) -> None:
        """Begin no further part, once those that have triggered are born.

        A trigger that nobody tells of is known when its frame is there; of several a part the device does not know
        the last, so that it goes on, and what begins another part is dropped.
        """
        camera = self.camera
        if camera.takes_software_trigger:
            with self._numbering:  # a picture may be made just now
                self.cease_exposing()
        elif camera.reports_triggers:
            self.cease_exposing()
        elif self._frames_per_part == 1 and self.cease_exposing():
            self.wait_stopping(camera.frame_s)
        super().cease()
        if camera.reports_triggers and not camera.takes_software_trigger:
            self.told_all.wait(self._TELL_S)

    def loops(self) -> dict[str, Callable[[], None]]:
        """Grab, and follow the triggers where the camera tells of them and does not wait for us."""
        camera = self.camera
        of_its_own = camera.reports_triggers and not camera.waits_for_host and not camera.takes_software_trigger
        return super().loops() | ({"trigger": self._follow_triggers} if of_its_own else {})

    def follow(self) -> None:
        """Take the triggers of a source that waits for the host: as many frames as it gives, they never overtake."""
        if self.camera.reports_triggers and self.camera.waits_for_host:
            while (trigger := self.camera.wait_trigger(0.0)) is not None:
                self.born(trigger)

    def reopening(self) -> None:
        """Number the parts of a camera that counts from 1 again after those of before; forget its early frames."""
        with self._numbering:
            self._offset, self._shift = self._highest, 0
            self._flow.on_restarted()

    def started(self) -> None:
        """Note when the first exposure can have been made."""
        self._since_host_ns = time.monotonic_ns()
        self._is_first = True

    def _follow_triggers(self) -> None:
        while not self.stopping:
            if self.lost:  # whoever opens it needs the numbers
                if self.ceasing:
                    break
                self.wait_while_lost()
                continue
            is_rest = self.ceasing
            try:
                with self._numbering:
                    trigger = self.camera.wait_trigger(0.0 if is_rest else self.WAIT_S)
                    if trigger is not None:
                        self.born(trigger)
            except CameraError:
                self.wait_while_lost()
                continue
            if is_rest and trigger is None:
                break
        self.told_all.set()

    def born(self, trigger: Trigger) -> int:
        """Give birth to the part of a trigger; return its number in this run."""
        number = trigger.number + self._offset
        self._highest = max(self._highest, number)
        self._flow.on_trigger(replace(trigger, number=number), self.camera.truth(trigger.number))
        return number

    def take(self, frame: Frame) -> None:
        """Have the frame scored as its part's; count what was lost before it."""
        if self._come_to(frame):
            number, view = self._part_of(frame.counter)
            self._flow.on_frame(number, frame, view)

    def miss(self, broken: BrokenFrame) -> None:
        """Reject the exposure's part at once: it is born, and no picture of it will come."""
        if self._come_to(broken):
            self._lost_frames(broken.counter, broken.counter)

    def _come_to(self, frame: Frame | BrokenFrame) -> bool:
        """Give birth to the parts up to an exposure, where nothing else does, and count those that were lost.

        False where that is the exposure of a part which came after `cease`: it is none any more.
        """
        if not (self.camera.reports_triggers or self.camera.takes_software_trigger):
            if self.ceasing and (self._is_first or self._part_of(frame.counter)[0] > self._highest):
                return False
            if self._is_first:
                self._is_first = False
                before = frame.counter - frame.lost_before - 1
                self._shift += -(before + self._shift) % self._frames_per_part
            self._infer_triggers(frame)
        if frame.lost_before:
            self._lost_frames(frame.counter - frame.lost_before, frame.counter - 1)
        return True

    def _lost_frames(self, first: int, last: int) -> None:
        if self._frames_per_part == 1:
            self._flow.on_frames_lost(first + self._offset, last + self._offset)
            return
        for counter in range(first, last + 1):
            number, view = self._part_of(counter)
            self._flow.on_frames_lost(number, number, view)

    def _part_of(self, counter: int) -> tuple[int, int]:
        """Return the part's number and the view that an exposure belongs to."""
        part, view = divmod(counter - 1 + self._shift, self._frames_per_part)
        return part + 1 + self._offset, view

    def _infer_triggers(self, frame: Frame | BrokenFrame) -> None:
        """Take the counter for the trigger: parts begun since the last frame or the start, spread over the time."""
        part = self._part_of(frame.counter)[0]
        since_host_ns = min(self._since_host_ns, frame.received_host_ns)
        first = max(self._highest, self._part_of(frame.counter - frame.lost_before)[0] - 1) + 1
        step_ns = (frame.received_host_ns - since_host_ns) // max(1, part - first + 1)
        for place, number in enumerate(range(first, part + 1), 1):
            self.born(Trigger(number - self._offset, since_host_ns + place * step_ns))
        self._since_host_ns = frame.received_host_ns

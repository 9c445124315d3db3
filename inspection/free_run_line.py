"""A camera that runs free over the belt: parts are found in its pictures, and nobody else tells of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from camera.frame import BrokenFrame, Frame, Trigger
from camera.interface import Camera
from inspection.camera_loop import CameraLoop
from inspection.camera_presence import CameraEvents
from inspection.flow import PartFlow
from inspection.tracking.detection import Detection
from inspection.tracking.device_clock import DeviceClock
from inspection.tracking.free_run import FreeRunTriggers

_KEPT_FRAMES = 4  # the best frame of a part is the last or one of the two before


@dataclass(frozen=True, slots=True)
class FreeRunEvents:
    """What the station hears of the detection; an empty text says that it is over."""

    blind: Callable[[str], None]  # parts cannot be seen: nothing may pass, and the belt should stop
    unseen: Callable[[str], None]  # parts may have gone by unseen just now


class FreeRunLine(CameraLoop):
    """Finds the parts in the stream of one camera, gives birth to them, and hands over the best picture of each.

    Numbers of parts go on when the camera was opened again; the empty belt is then learned anew.
    """

    def __init__(
        self,
        camera: Camera,
        flow: PartFlow,
        make_triggers: Callable[[], FreeRunTriggers],
        wait_for_room: Callable[[float], bool],
        events: CameraEvents,
        free_run_events: FreeRunEvents,
    ) -> None:
        super().__init__(camera, wait_for_room, events)
        self._flow = flow
        self._make_triggers = make_triggers
        self._told = free_run_events
        self._offset = 0
        self._highest = 0
        self._begin()
        self._told.blind("the empty belt is not learned yet")

    def _begin(self) -> None:
        self._triggers = self._make_triggers()
        self._clock = DeviceClock()
        self._frames: OrderedDict[int, Frame] = OrderedDict()
        self._gaps = 0
        self._was_ready = False

    def reopening(self) -> None:
        """Learn the belt and the clock anew; number the parts after those of before."""
        self._offset = self._highest
        self._begin()
        self._told.blind("the empty belt is not learned yet")

    def take(self, frame: Frame) -> None:
        """Look for parts; have each that is found scored by its best picture."""
        exposed_host_ns = frame.received_host_ns
        if frame.device_ns is not None:
            exposed_host_ns = self._clock.exposed(frame.device_ns, frame.received_host_ns) or exposed_host_ns
        counters = self._triggers.counters
        self._frames[counters.frames + 1] = frame
        if len(self._frames) > _KEPT_FRAMES:
            self._frames.popitem(last=False)
        for detection in self._triggers.feed(frame.pixels, exposed_host_ns):
            self._found(detection)
        self._tell()

    def miss(self, broken: BrokenFrame) -> None:
        """Leave a hole in the stream: the next picture shows by its time how long nothing was seen."""

    def _found(self, detection: Detection) -> None:
        number = detection.number + self._offset
        self._highest = max(self._highest, number)
        self._flow.on_trigger(Trigger(number, detection.trigger_host_ns), self.camera.truth(detection.number))
        frame = self._frames.get(detection.best_frame)
        if frame is None:
            self._flow.on_frames_lost(number, number)
            return
        at = detection.region
        picture = replace(frame, pixels=frame.pixels[at.y : at.y + at.height, at.x : at.x + at.width])
        if detection.separable:
            self._flow.on_frame(number, picture)
        else:
            why = "touches its neighbour" if detection.touching else "was not seen wholly"
            self._flow.on_doubtful_frame(number, picture, why)

    def _tell(self) -> None:
        counters = self._triggers.counters
        if self._triggers.ready and not self._was_ready:
            self._was_ready = True
            self._told.blind("")
        gaps = counters.blind + counters.too_fast
        if gaps > self._gaps:
            self._gaps = gaps
            self._told.unseen("pictures were missing" if counters.blind else "the belt was too fast for the camera")

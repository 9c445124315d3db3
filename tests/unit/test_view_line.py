"""The loop of a camera that does not give the triggers."""

from __future__ import annotations

import threading
import time

import numpy as np
from forgetful_memory import ForgetfulMemory
from manual_ejector import ManualEjector

from camera.frame import ClockReading, Pixels
from camera.simulated import Options, SimulatedCamera
from inspection.alarm_board import AlarmBoard
from inspection.camera_presence import CameraEvents
from inspection.flow import FlowSettings, PartFlow
from inspection.motion import ClockMotion
from inspection.pipeline.decide import Judge
from inspection.run_counters import RunCounters
from inspection.tracking.device_clock import DeviceClock
from inspection.tracking.fusion import Fusion
from inspection.tracking.geometry import Geometry
from inspection.tracking.match_settings import MatchSettings, Numbering
from inspection.tracking.matched_view import MatchedView
from inspection.tracking.matching import Matcher
from inspection.view_line import ViewLine

MS = 1_000_000


class Plain:
    """A scene of grey parts."""

    def render(self, part: int) -> Pixels:
        return np.full((4, 4), part % 256, np.uint8)

    def truth(self, part: int) -> str:
        return str(part)


class AskedCamera(SimulatedCamera):
    """Counts how often its clock is asked."""

    def __init__(self) -> None:
        super().__init__("side", Options(pitch_mm=20, speed_mm_s=1000, jitter_mm=0), Plain())
        self.asked = 0
        self.often = threading.Event()

    def read_clock(self) -> ClockReading | None:
        self.asked += 1
        if self.asked >= 4:
            self.often.set()
        return super().read_clock()


class Curious(ViewLine):
    """Asks for the clock at every frame, so that the test need not wait for seconds."""

    _CLOCK_S = 0.0


def test_the_clock_of_a_camera_is_asked_again_while_it_runs() -> None:
    """Not only at the start: what a clock showed then says less and less."""
    settings = MatchSettings(Numbering.EXPOSURES, earliest=-5 * MS, latest=5 * MS, arrival=100 * MS, closest=20 * MS)
    view = MatchedView(Matcher(settings), DeviceClock(), ClockMotion())
    flow = PartFlow(
        FlowSettings(Geometry(10**9, 0), Fusion(), ("top", "side"), (Judge(("good", "bad"), 0, 0.5),) * 2, 30.0),
        now=time.monotonic_ns,
        motion=ClockMotion(),
        ejector=ManualEjector(),
        submit=lambda _job: True,
        memory=ForgetfulMemory(),
        alarms=AlarmBoard(),
        counters=RunCounters(),
        matched_views={1: view},
    )
    failures: list[str] = []
    events = CameraEvents(failures.append, lambda: None, failures.append)
    camera = AskedCamera()
    line = Curious(camera, flow, 1, lambda _timeout_s: True, events)
    with camera:
        line.start()
        assert camera.often.wait(20)
        line.stop()
    assert not failures

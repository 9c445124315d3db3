"""Frames that are faster than the news of their trigger: they are given to their own part, or to none."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar

import numpy as np
import pytest
from forgetful_memory import ForgetfulMemory
from manual_ejector import ManualEjector
from queued_camera import QueuedCamera, events_in_words

from camera.errors import CameraLostError
from camera.frame import BrokenFrame, Frame, Trigger
from camera.interface import Camera
from inspection.alarm_board import AlarmBoard
from inspection.flow import FlowSettings, PartFlow
from inspection.line import Line
from inspection.motion import ClockMotion
from inspection.part import Reason, Verdict
from inspection.pipeline.batch_queue import Job
from inspection.pipeline.decide import Judge
from inspection.run_counters import RunCounters
from inspection.tracking.fusion import Fusion
from inspection.tracking.geometry import Geometry
from inspection.tracking.part import PartInFlight

WAIT_S = 20.0


class LateCamera(QueuedCamera):
    """A driver whose `trigger` returns only when the test lets it, long after its exposure was grabbed."""

    def __init__(self) -> None:
        super().__init__("late")
        self.may_return = threading.Semaphore(0)
        self.fails = False
        self._number = 0

    @property
    def takes_software_trigger(self) -> bool:
        return True

    def frame(self, number: int, level: int, lost_before: int = 0) -> Frame:
        pixels = np.full((4, 4), level, np.uint8)
        return Frame(self.name, number, None, time.monotonic_ns(), lost_before, "Mono8", pixels)

    def broken(self, number: int) -> BrokenFrame:
        return BrokenFrame(self.name, number, None, time.monotonic_ns(), 0, "3 of 9 packets are missing")

    def _open(self) -> None:
        self._number = 0

    def _trigger(self) -> Trigger | None:
        self._number += 1
        trigger = Trigger(self._number, time.monotonic_ns())
        assert self.may_return.acquire(timeout=WAIT_S)
        if self.fails:
            raise CameraLostError("unplugged before it could answer")
        return trigger


class SlowNewsCamera(LateCamera):
    """A camera that tells of its own triggers, and whose news of the last one takes until the test lets it through."""

    reports_triggers: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.news: queue.Queue[Trigger] = queue.Queue()
        self.waits = threading.Event()

    @property
    def takes_software_trigger(self) -> bool:
        return False

    def _wait_trigger(self, timeout_s: float) -> Trigger | None:
        try:
            trigger = self.news.get(timeout=timeout_s)
        except queue.Empty:
            return None
        self.waits.set()
        assert self.may_return.acquire(timeout=WAIT_S)
        return trigger


class Bench:
    """A real line and a real flow between a camera and an ejector that the test moves."""

    def __init__(self, camera: Camera) -> None:
        self.jobs: list[Job] = []
        self.told: queue.Queue[str] = queue.Queue()
        self.ejector, self.camera = ManualEjector(), camera
        self.flow = PartFlow(
            FlowSettings(Geometry(10**12, 0), Fusion(), ("late",), (Judge(("good", "bad"), 0, 0.5),), 30.0),
            now=time.monotonic_ns,
            motion=ClockMotion(),
            ejector=self.ejector,
            submit=lambda job: self.jobs.append(job) is None,
            memory=ForgetfulMemory(),
            alarms=AlarmBoard(),
            counters=RunCounters(),
        )
        self.ejector.open(self.flow.on_actuation, self.flow.on_ejector_health)
        self.line = Line(camera, self.flow, 1, lambda timeout_s: True, events_in_words(self.told.put))

    def part(self, number: int) -> PartInFlight:
        return self.flow.tracker._parts[number]

    def wait(self, holds: Callable[[], bool]) -> None:
        until, pause = time.monotonic() + WAIT_S, threading.Event()
        while not holds():
            assert time.monotonic() < until
            pause.wait(0.005)


@contextmanager
def running(camera: Camera) -> Iterator[Bench]:
    """A line that runs, and is stopped and closed whatever happens."""
    bench = Bench(camera)
    camera.open()
    bench.line.start()
    try:
        yield bench
    finally:
        bench.line.stop()
        camera.close()


@contextmanager
def triggered(bench: Bench, camera: LateCamera, answers: list[object]) -> Iterator[None]:
    """A trigger whose call is under way in another thread; it returns at the end."""

    def trigger() -> None:
        try:
            answers.append(bench.line.trigger())
        except CameraLostError as error:
            answers.append(error)

    thread = threading.Thread(target=trigger)
    thread.start()
    try:
        yield
    finally:
        camera.may_return.release()
        thread.join(WAIT_S)
    assert not thread.is_alive()


def test_a_frame_before_its_trigger_returned_is_scored_as_its_part() -> None:
    """The picture waits for the birth; it is neither dropped nor another part's."""
    camera, answers = LateCamera(), []
    with running(camera) as bench:
        for number in (1, 2):
            with triggered(bench, camera, answers):
                camera.exposures.put(camera.frame(number, level=number))
                bench.wait(lambda: len(bench.flow.tracker._early) == 1)
                assert len(bench.jobs) == number - 1
            assert bench.jobs[-1].pixels.max() == number
            assert bench.part(number).views[0].frame is not None
        assert answers == [1, 2]


@pytest.mark.parametrize("broken", [True, False], ids=["broken", "gap"])
def test_a_loss_before_its_trigger_returned_rejects_its_part_at_birth(broken: bool) -> None:
    """NO_IMAGE at once, however far away its due time is: on a belt that stands it would never come."""
    camera, answers = LateCamera(), []
    with running(camera) as bench:
        with triggered(bench, camera, answers):
            camera.exposures.put(camera.broken(1) if broken else camera.frame(2, level=2, lost_before=1))
            bench.wait(lambda: bench.flow.tracker.counters.lost_frames == 1)
        decision = bench.part(1).decision
        assert decision is not None
        assert (decision.verdict, decision.reason) == (Verdict.REJECT, Reason.NO_IMAGE)
        assert bench.ejector.armed == {1: Verdict.REJECT}
        with triggered(bench, camera, answers):
            if broken:
                camera.exposures.put(camera.frame(2, level=2))
        bench.wait(lambda: len(bench.jobs) == 1)
        assert bench.jobs[0].pixels.max() == 2
        assert answers == [1, 2]


def test_a_frame_whose_trigger_failed_is_nobodys_after_the_camera_was_opened_again() -> None:
    """The device exposed, went, and counts from 1 again: its last picture has the number of the next part."""
    camera, answers = LateCamera(), []
    with running(camera) as bench:
        camera.fails = True
        with triggered(bench, camera, answers):
            camera.exposures.put(camera.frame(1, level=99))
            bench.wait(lambda: len(bench.flow.tracker._early) == 1)
        camera.exposures.put(CameraLostError("unplugged"))
        assert bench.told.get(timeout=WAIT_S) == "lost: unplugged"
        assert bench.told.get(timeout=WAIT_S) == "recovered"
        camera.fails = False
        with triggered(bench, camera, answers):
            pass
        assert bench.jobs == []
        camera.exposures.put(camera.frame(1, level=1))
        bench.wait(lambda: len(bench.jobs) == 1)
        assert bench.jobs[0].pixels.max() == 1
        assert bench.flow.tracker.counters.spurious_frames == 1
        assert answers[1:] == [1]


def test_news_of_a_trigger_that_come_after_the_loss_are_numbered_as_before_it() -> None:
    """Else a number far ahead makes doubled triggers of the opened camera's, and their parts pass unseen."""
    camera = SlowNewsCamera()
    with running(camera) as bench:
        for number in (1, 2):
            camera.news.put(Trigger(number, time.monotonic_ns()))
            camera.may_return.release()
        bench.wait(lambda: bench.line._highest == 2)
        camera.waits.clear()
        camera.news.put(Trigger(3, time.monotonic_ns()))
        assert camera.waits.wait(WAIT_S)
        camera.exposures.put(CameraLostError("unplugged"))
        assert bench.told.get(timeout=WAIT_S) == "lost: unplugged"
        assert not bench.line.wait_stopping(2 * Line._RETRY_S[0])  # it would be open again by now
        camera.may_return.release()
        assert bench.told.get(timeout=WAIT_S) == "recovered"
        for number in (1, 2):
            camera.news.put(Trigger(number, time.monotonic_ns()))
            camera.may_return.release()
        bench.wait(lambda: bench.line._highest == 5)
        assert sorted(bench.flow.tracker._parts) == [1, 2, 3, 4, 5]
        assert bench.flow.tracker.counters.doubled_triggers == 0

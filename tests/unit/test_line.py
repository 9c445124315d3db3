"""The line: a camera's triggers and frames become parts, whatever the camera does."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import ClassVar

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from queued_camera import QueuedCamera, events_in_words

from camera.errors import CameraLostError, CameraOpenError
from camera.frame import BrokenFrame, Frame, Trigger
from camera.genicam.block_ids import BlockIds
from camera.interface import Camera
from inspection.line import Line

PIXELS = np.zeros((4, 4), np.uint8)


class ScriptedCamera(QueuedCamera):
    """A camera at the other end of a script: frames, triggers and losses come when the test says so."""

    def __init__(self) -> None:
        super().__init__("scripted")
        self.refuse_opening = 0
        self.openings = 0

    def deliver(self, counter: int, lost_before: int = 0, host_ns: int = 0) -> None:
        self.exposures.put(
            Frame(self.name, counter, None, host_ns or time.monotonic_ns(), lost_before, "Mono8", PIXELS)
        )

    def break_off(self, counter: int, lost_before: int = 0, host_ns: int = 0) -> None:
        self.exposures.put(BrokenFrame(self.name, counter, None, host_ns, lost_before, "3 of 9 packets are missing"))

    def _open(self) -> None:
        self.openings += 1
        if self.refuse_opening:
            self.refuse_opening -= 1
            raise CameraOpenError("still gone")


class TriggeringCamera(ScriptedCamera):
    reports_triggers: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.triggers: queue.Queue[Trigger] = queue.Queue()

    def _wait_trigger(self, timeout_s: float) -> Trigger | None:
        try:
            return self.triggers.get(timeout=timeout_s)
        except queue.Empty:
            return None


class Log:
    """Stands at the line's outer edge and notes what it is told."""

    def __init__(self) -> None:
        self.events: queue.Queue[tuple[str, object]] = queue.Queue()
        self.born: dict[int, Trigger] = {}
        self.seen: list[tuple[int, int, str]] = []

    def on_trigger(self, trigger: Trigger, truth: str = "") -> None:
        self.born[trigger.number] = trigger
        self.events.put(("trigger", trigger.number))

    def on_frame(self, number: int, frame: Frame, view: int = 0) -> None:
        self.seen.append((number, view, "whole"))
        self.events.put(("frame", number if view == 0 else (number, view)))

    def on_frames_lost(self, first: int, last: int, view: int = 0) -> None:
        self.seen += [(number, view, "lost") for number in range(first, last + 1)]
        self.events.put(("lost", (first, last) if view == 0 else (first, last, view)))

    def on_restarted(self) -> None:
        self.events.put(("restarted", None))

    def next(self) -> tuple[str, object]:
        return self.events.get(timeout=10)


def _line(camera: Camera, log: Log, told: Callable[[str], None] = lambda text: None, frames: int = 1) -> Line:
    camera.open()
    return Line(
        camera,
        log,  # type: ignore[arg-type]
        frames,
        lambda timeout_s: True,
        events_in_words(told),
    )


def test_a_counter_gap_makes_parts_without_image() -> None:
    """A camera that tells of no triggers: a gap of two in its counter is two parts, spread over the time."""
    camera, log = ScriptedCamera(), Log()
    line = _line(camera, log)
    line.start()
    camera.deliver(1, host_ns=1_000)
    assert [log.next(), log.next()] == [("trigger", 1), ("frame", 1)]
    camera.deliver(4, lost_before=2, host_ns=4_000)
    assert [log.next() for _ in range(3)] == [("trigger", 2), ("trigger", 3), ("trigger", 4)]
    assert [log.next(), log.next()] == [("lost", (2, 3)), ("frame", 4)]
    assert [log.born[number].host_ns for number in (2, 3, 4)] == [2_000, 3_000, 4_000]
    line.stop()
    camera.close()


def test_parts_whose_first_exposures_were_lost_are_born_after_the_start() -> None:
    """Between the start and the first frame that came, however long ago the one before the stop was."""
    camera, log = ScriptedCamera(), Log()
    line = _line(camera, log)
    line.start()
    camera.deliver(1, host_ns=1_000)
    assert [log.next(), log.next()] == [("trigger", 1), ("frame", 1)]
    line.stop()
    before_host_ns = time.monotonic_ns()
    line.start()
    camera.deliver(4, lost_before=2)
    assert [log.next() for _ in range(3)] == [("trigger", 2), ("trigger", 3), ("trigger", 4)]
    assert [log.next(), log.next()] == [("lost", (2, 3)), ("frame", 4)]
    assert all(log.born[number].host_ns >= before_host_ns for number in (2, 3, 4))
    line.stop()
    camera.close()


def test_a_broken_exposure_rejects_its_part_at_once() -> None:
    """It is a part like any other, born in its place in time, and known to have no image before the next one comes."""
    camera, log = ScriptedCamera(), Log()
    line = _line(camera, log)
    line.start()
    camera.deliver(1, host_ns=1_000)
    assert [log.next(), log.next()] == [("trigger", 1), ("frame", 1)]
    camera.break_off(3, lost_before=1, host_ns=3_000)
    assert [log.next() for _ in range(4)] == [("trigger", 2), ("trigger", 3), ("lost", (2, 2)), ("lost", (3, 3))]
    camera.deliver(4, host_ns=4_000)
    assert [log.next(), log.next()] == [("trigger", 4), ("frame", 4)]
    assert [log.born[number].host_ns for number in (2, 3, 4)] == [2_000, 3_000, 4_000]
    line.stop()
    camera.close()


def test_a_broken_exposure_is_its_own_view() -> None:
    """Two exposures a part: the second of part 1 is broken, its first stays."""
    camera, log = ScriptedCamera(), Log()
    line = _line(camera, log, frames=2)
    line.start()
    camera.deliver(1, host_ns=1_000)
    camera.break_off(2, host_ns=1_500)
    assert [log.next() for _ in range(3)] == [("trigger", 1), ("frame", 1), ("lost", (1, 1, 1))]
    line.stop()
    camera.close()


def test_several_frames_of_a_part_are_its_views() -> None:
    """Two exposures a part: counts 1 and 2 are part 1; a gap over parts is the right view of the right part."""
    camera, log = ScriptedCamera(), Log()
    line = _line(camera, log, frames=2)
    line.start()
    camera.deliver(1, host_ns=1_000)
    assert [log.next(), log.next()] == [("trigger", 1), ("frame", 1)]
    camera.deliver(2, host_ns=1_500)
    assert log.next() == ("frame", (1, 1))
    camera.deliver(5, lost_before=2, host_ns=3_500)
    assert [log.next() for _ in range(2)] == [("trigger", 2), ("trigger", 3)]
    assert [log.next() for _ in range(3)] == [("lost", (2, 2)), ("lost", (2, 2, 1)), ("frame", 3)]
    assert [log.born[number].host_ns for number in (2, 3)] == [2_500, 3_500]
    line.stop()
    camera.close()


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 3),
    st.lists(st.lists(st.sampled_from(["whole", "broken", "lost"]), min_size=1, max_size=8), min_size=1, max_size=5),
)
def test_each_exposure_is_of_its_part_whatever_a_start_loses(frames: int, starts: list[list[str]]) -> None:
    """A device that begins anew at each start: also the first ones may be lost, and a stop may come amid a part."""
    camera, log, ids = ScriptedCamera(), Log(), BlockIds(64, zero_is_skipped=False, begins_with=0)
    line = _line(camera, log, frames=frames)
    expected: list[tuple[int, int, str]] = []
    part = 0
    for exposures in starts:
        ids.restarted()
        line.started()
        started_host_ns = time.monotonic_ns()
        known = max((number for number, exposure in enumerate(exposures) if exposure != "lost"), default=-1)
        for number, exposure in enumerate(exposures[: known + 1]):
            view = number % frames
            part += view == 0
            expected.append((part, view, exposure))
            if exposure == "lost":
                continue
            numbered = ids.take(number)
            assert numbered is not None
            now_host_ns = started_host_ns + 10**9 * number
            if exposure == "whole":
                line.take(Frame("scripted", numbered[0], None, now_host_ns, numbered[1], "Mono8", PIXELS))
            else:
                line.miss(BrokenFrame("scripted", numbered[0], None, now_host_ns, numbered[1], "broken"))
    assert sorted(log.born) == list(range(1, part + 1))
    assert log.seen == [(part, view, "whole" if exposure == "whole" else "lost") for part, view, exposure in expected]
    camera.close()


def test_triggers_and_frames_come_from_two_threads() -> None:
    """A camera that reports triggers: a part is born by its trigger, whether or not its frame follows."""
    camera, log = TriggeringCamera(), Log()
    line = _line(camera, log)
    line.start()
    camera.triggers.put(Trigger(1, 10))
    camera.triggers.put(Trigger(2, 20))
    assert [log.next(), log.next()] == [("trigger", 1), ("trigger", 2)]
    camera.deliver(2, lost_before=1)
    assert [log.next(), log.next()] == [("lost", (1, 1)), ("frame", 2)]
    line.stop()
    camera.close()


def test_a_lost_camera_is_opened_again_and_no_number_comes_twice() -> None:
    """The device counts from 1 again after its power cycle; the station's part numbers go on."""
    camera, log = ScriptedCamera(), Log()
    told: queue.Queue[str] = queue.Queue()
    line = _line(camera, log, told.put)
    line.start()
    camera.deliver(1)
    assert [log.next(), log.next()] == [("trigger", 1), ("frame", 1)]
    camera.refuse_opening = 1
    camera.exposures.put(CameraLostError("cable pulled"))
    assert told.get(timeout=10) == "lost: cable pulled"
    assert told.get(timeout=10) == "recovered"
    assert line.history.reopened == 1
    assert camera.openings == 3
    camera.deliver(1)
    assert [log.next() for _ in range(3)] == [("restarted", None), ("trigger", 2), ("frame", 2)]
    line.stop()
    camera.close()


def test_what_comes_after_the_line_ceased_is_no_part_and_the_rest_of_one_is() -> None:
    """Of a camera that tells of no triggers: the second view of the last part is taken, the next exposure is nobody's.

    The part that begins at the next start has all its views.
    """
    camera, log = ScriptedCamera(), Log()
    line = _line(camera, log, frames=2)
    line.start()
    camera.deliver(1)
    assert [log.next() for _ in range(2)] == [("trigger", 1), ("frame", 1)]
    line.cease()
    for counter in (2, 3, 4, 5):
        camera.deliver(counter)
    while not camera.exposures.empty():
        time.sleep(0.001)
    line.stop()
    assert log.next() == ("frame", (1, 1))
    assert log.events.empty()
    line.start()
    camera.deliver(6)
    assert [kind for kind, _ in (log.next(), log.next())] == ["trigger", "frame"]
    line.stop()


def test_a_failure_of_a_thread_is_told() -> None:
    """Whatever a driver raises that it must not raise reaches the station instead of dying in a thread."""
    camera, log = ScriptedCamera(), Log()
    told: queue.Queue[str] = queue.Queue()
    line = _line(camera, log, told.put)
    line.start()
    camera.exposures.put(RuntimeError("driver bug"))
    assert told.get(timeout=10) == "failed: RuntimeError: driver bug"
    line.stop()
    camera.close()


def test_stop_ends_both_threads() -> None:
    """After stop no thread of the line is left."""
    camera, log = TriggeringCamera(), Log()
    line = _line(camera, log)
    before = threading.active_count()
    line.start()
    assert threading.active_count() == before + 2
    line.stop()
    assert threading.active_count() == before
    camera.close()

"""The loop of a camera whose driver hangs, or that is lost while somebody else acts: no trouble is forgotten."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from camera.errors import CameraError, CameraLostError, CameraOpenError, Cause
from camera.frame import BrokenFrame, Frame, Pixels
from camera.interface import Camera
from inspection.camera_history import CameraHistory
from inspection.camera_loop import CameraLoop
from inspection.camera_presence import CameraEvents

BOUND_S = 20.0


class StuckCamera(Camera):
    """A driver whose calls return when the test lets them; `comes` of its openings say whether it is there."""

    def __init__(self) -> None:
        super().__init__("top")
        self.grabs, self.opens = threading.Event(), threading.Event()
        self.grabs.set()
        self.opens.set()
        self.gone: CameraError | None = None
        self.there = True
        self.grabbing, self.opening = threading.Event(), threading.Event()
        self.starts = self.stops = 0

    def _open(self) -> None:
        self.opening.set()
        self.opens.wait()
        if not self.there:
            raise CameraOpenError("nobody answers", Cause.ABSENT)

    def _start(self) -> None:
        self.starts += 1

    def _grab(self, into: Pixels | None, timeout_s: float) -> Frame | None:
        self.grabbing.set()
        self.grabs.wait()
        if self.gone is not None:
            raise self.gone
        time.sleep(0.001)
        return None

    def _stop(self) -> None:
        self.stops += 1

    def _close(self) -> None: ...


class Loop(CameraLoop):
    """A loop that only notes what it tells the station."""

    def __init__(self, camera: Camera) -> None:
        self.told: list[str] = []
        events = CameraEvents(
            lost=lambda error: self.told.append(f"lost: {error.cause}"),
            recovered=lambda: self.told.append("recovered"),
            failed=self.told.append,
        )
        super().__init__(camera, lambda _timeout_s: True, events)

    def take(self, frame: Frame) -> None: ...

    def miss(self, broken: BrokenFrame) -> None: ...

    def reopening(self) -> None: ...


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> Iterator[StuckCamera]:
    monkeypatch.setattr(CameraHistory, "HUNG_S", 0.05)
    stuck = StuckCamera()
    stuck.open()
    yield stuck
    stuck.grabs.set()
    stuck.opens.set()


@pytest.fixture
def loop(camera: StuckCamera) -> Iterator[Loop]:
    running = Loop(camera)
    running.start()
    yield running
    camera.grabs.set()
    camera.opens.set()
    running.stop()


def _until(what: Callable[[], bool]) -> None:
    end_s = time.monotonic() + BOUND_S
    while not what():
        assert time.monotonic() < end_s, "it did not come to pass"
        time.sleep(0.002)


def _hang(camera: StuckCamera, loop: Loop) -> None:
    """Let the next call into the driver hang, and have it noticed as the supervisor does."""
    camera.grabs.clear()
    _until(lambda: loop.history.hung)
    loop.tell_hung()
    assert loop.told == ["lost: hung"]


def test_a_driver_that_hangs_is_not_sound_because_the_line_was_stopped(camera: StuckCamera, loop: Loop) -> None:
    """Its trouble stands until its call has returned, and the line cannot be started beside that call."""
    _hang(camera, loop)
    loop.stop(timeout_s=0.05)
    assert loop.history.hung
    with pytest.raises(CameraLostError, match="does not answer") as refused:
        loop.start()
    assert refused.value.cause is Cause.HUNG
    assert camera.starts == 1

    camera.grabs.set()
    _until(lambda: not loop.history.hung)
    loop.tell_alive()
    assert loop.told == ["lost: hung", "recovered"]
    loop.stop()
    loop.start()
    assert camera.starts == 2


def test_a_driver_that_returns_only_to_say_that_the_camera_has_gone(camera: StuckCamera, loop: Loop) -> None:
    """It hangs no longer, but its loss is not taken back with that."""
    camera.there = False
    camera.gone = CameraLostError("control lost", Cause.CONTROL_LOST)
    _hang(camera, loop)
    camera.grabs.set()
    _until(lambda: loop.lost)
    assert not loop.history.hung
    loop.tell_alive()
    assert loop.told[:2] == ["lost: hung", "lost: control_lost"]
    assert "recovered" not in loop.told
    report = loop.report("stuck")
    assert (report.counters["lost_hung"], report.counters["lost_control_lost"]) == (1, 1)

    camera.there, camera.gone = True, None
    _until(lambda: not loop.lost)
    _until(lambda: loop.told[-1] == "recovered")


def test_a_camera_is_opened_by_one_thread_at_a_time(camera: StuckCamera, loop: Loop) -> None:
    """A line that is stopped while its camera is just being opened leaves it to that thread, and it ends up silent."""
    camera.opens.clear()
    camera.opening.clear()
    camera.gone = CameraLostError("unplugged", Cause.ABSENT)
    assert camera.opening.wait(BOUND_S)
    camera.gone = None
    loop.stop(timeout_s=0.05)
    camera.opening.clear()
    loop.mend()  # what the upkeep of the cameras does while the line stands
    assert not camera.opening.is_set()

    camera.opens.set()
    _until(lambda: loop.told[-1:] == ["recovered"])
    loop.stop()
    assert camera.starts == 2
    assert camera.stops == 2


def test_a_thread_beside_the_grabbing_one_waits_while_the_camera_is_lost(camera: StuckCamera, loop: Loop) -> None:
    """It does not ask a camera that is not there as often as a core can."""
    camera.there = False
    camera.gone = CameraLostError("unplugged", Cause.ABSENT)
    _until(lambda: loop.lost)
    begun_s = time.monotonic()
    loop.wait_while_lost()
    assert time.monotonic() - begun_s >= loop.WAIT_S * 0.9


def test_renewed_settings_are_told_as_an_opening_is(camera: StuckCamera) -> None:
    """What a camera took is noted after each opening, that of changed settings, too."""
    loop = Loop(camera)
    loop.renew()
    assert loop.told == ["recovered"]

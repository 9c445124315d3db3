"""Drivers that crash, hang and flood in a process of their own: the station's side goes on, and says what happened."""

from __future__ import annotations

import gc
import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from plugin_package import install_plugin

from camera import CameraError, CameraLostError, CameraOpenError, Frame, make_camera
from camera.errors import Cause, NodeError
from camera.frame import BrokenFrame
from camera.own_process import camera as own_camera
from camera.own_process.camera import IsolatedCamera
from inspection.camera_loop import CameraLoop
from inspection.camera_presence import CameraEvents

BOUND_S = 60.0


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., IsolatedCamera]:
    """Make a camera of the driver that makes trouble, with a watchdog that waits no longer than it must."""
    install_plugin(tmp_path, monkeypatch, "troubled", troubled="troubled_camera:BACKEND")

    def camera(**options: object) -> IsolatedCamera:
        made = make_camera("troubled", "top", {"watchdog_s": 1.0, **options})
        assert isinstance(made, IsolatedCamera)
        return made

    return camera


def next_frame(camera: IsolatedCamera) -> Frame:
    frame = camera.grab(None, BOUND_S)
    assert isinstance(frame, Frame)
    return frame


def grab_to_the_end(camera: IsolatedCamera) -> None:
    while True:
        camera.grab(None, BOUND_S)


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid)


def open_files() -> int:
    gc.collect()  # frames of tests before this one
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a count


def shared_memory() -> set[str]:
    return set(os.listdir("/dev/shm"))  # noqa: PTH208 - names


ENDINGS = {
    "segfault": (Cause.CRASHED, "SIGSEGV.*Segmentation fault.*troubled_camera"),
    "abort": (Cause.CRASHED, "SIGABRT.*lens cap is screwed on too tightly.*Aborted.*troubled_camera"),
    "exit": (Cause.CRASHED, "exit code 7"),
    "hang": (Cause.HUNG, "no sign of life for 1 s"),
    "hang_with_lock": (Cause.HUNG, "no sign of life for 1 s"),
    "raise": (Cause.UNKNOWN, "ZeroDivisionError: frames per nothing.*troubled_camera.py, line"),
    "lost": (Cause.CONTROL_LOST, "unplugged"),
}


@pytest.mark.parametrize("trouble", ENDINGS)
def test_trouble_while_grabbing_loses_the_camera_and_says_why(
    make: Callable[..., IsolatedCamera], trouble: str
) -> None:
    """Frames before it arrive whole and stay; then the camera is lost with its cause, its process is gone and it opens
    again."""
    camera = make(trouble=trouble)
    cause, text = ENDINGS[trouble]
    for attempt in range(2):
        camera.open()
        camera.start()
        pid = camera.process_id
        assert pid is not None
        frames = [next_frame(camera) for _ in range(3)]
        for _ in range(2):
            with pytest.raises(CameraLostError, match=text) as caught:
                camera.grab(None, BOUND_S)
            assert caught.value.cause is cause
        assert [frame.counter for frame in frames] == [1, 2, 3]
        assert camera.counters()["driver_restarts"] == (attempt + 1 if cause in (Cause.CRASHED, Cause.HUNG) else 0)
        camera.close()
        assert is_gone(pid)
        assert [int(frame.pixels.min()) for frame in frames] == [1, 2, 3]


STAGES = ("open", "start", "stop", "close", "trigger")
BAD_CALLS = [(stage, trouble) for stage in STAGES for trouble in ("hang_with_lock", "segfault")]
BAD_CALLS += [("close", "hang"), ("open", "raise"), ("stop", "raise"), ("trigger", "raise")]


@pytest.mark.parametrize(("stage", "trouble"), BAD_CALLS)
def test_trouble_in_any_call_is_bounded(
    make: Callable[..., IsolatedCamera], monkeypatch: pytest.MonkeyPatch, stage: str, trouble: str
) -> None:
    """open and start raise; stop and close return; a trigger raises; the process is gone, and nothing is left."""
    for bound in ("_START_S", "_STOP_S", "_CLOSE_S"):
        monkeypatch.setattr(own_camera, bound, 1.0)
    if stage == "open" and trouble.startswith("hang"):
        monkeypatch.setattr(own_camera, "_OPEN_S", 2.0)
    files = open_files()
    camera = make(trouble=trouble, stage=stage, frames=1)
    pid = None
    try:
        if stage == "open":
            with pytest.raises(CameraError):
                camera.open()
            return
        camera.open()
        pid = camera.process_id
        if stage == "start":
            with pytest.raises(CameraError):
                camera.start()
            return
        camera.start()
        next_frame(camera)
        if stage == "trigger":
            with pytest.raises(CameraError):
                camera.trigger()
        camera.stop()
        assert camera.grab(None, 0.0) is None
    finally:
        camera.close()
        assert camera.process_id is None
        assert pid is None or is_gone(pid)
        assert open_files() == files


def test_errors_travel_with_text_and_cause(make: Callable[..., IsolatedCamera]) -> None:
    """What the driver raises at open arrives as it is."""
    with pytest.raises(CameraOpenError, match=r"^no such device$") as caught:
        make(device="nobody").open()
    assert caught.value.cause is Cause.ABSENT


def test_frames_that_grow_arrive_whole(make: Callable[..., IsolatedCamera]) -> None:
    """Each frame is shown as it was taken, though memory was made anew under those that are still looked at."""
    sizes = [(48, 64), (48, 64), (100, 100), (10, 10), (480, 640), (481, 640), (1, 1), (1000, 1200)]
    with make(sizes=sizes, frames=len(sizes)) as camera:
        camera.start()
        frames = [next_frame(camera) for _ in sizes]
        assert [frame.pixels.shape for frame in frames] == sizes
        assert all(bool((frame.pixels == frame.counter).all()) for frame in frames)
        assert frames[0].chunks == {"counter": 1}
        assert camera.grab(None, 0.0) is None


def test_a_flood_is_counted_and_never_overwrites_what_is_looked_at(make: Callable[..., IsolatedCamera]) -> None:
    """While nobody takes frames they are dropped; those that come then tell of it; none changes while it is held."""
    with make(period_s=0.0) as camera:
        camera.start()
        held: list[Frame] = []
        last = 0
        while len(held) < 60:
            frame = next_frame(camera)
            assert frame.counter - last - 1 == frame.lost_before
            last = frame.counter
            held.append(frame)
            if len(held) == 10:
                underruns = 0
                until = time.monotonic() + BOUND_S
                while underruns < 100:
                    assert time.monotonic() < until
                    underruns = camera.counters()["underruns"]
        assert any(frame.lost_before for frame in held)
        for frame in held:
            assert bool((frame.pixels == frame.counter % 251).all())
            assert not frame.pixels.flags.writeable
        view = held[0].pixels[3:5, 7:9]
        value = int(view[0, 0])
        held.clear()
        for _ in range(200):
            next_frame(camera)
        assert bool((view == value).all())


def test_broken_frames_come_and_never_block(make: Callable[..., IsolatedCamera]) -> None:
    """Exposures without pixels are told of in their place; a flood of them that nobody takes is counted, too."""
    with make(period_s=0.0, broken_every=1) as camera:
        camera.start()
        until = time.monotonic() + BOUND_S
        while camera.counters()["underruns"] < 10:
            assert time.monotonic() < until
        counters = [0]
        while True:
            taken = camera.grab(None, BOUND_S)
            assert isinstance(taken, BrokenFrame)
            assert taken.counter - counters[-1] - 1 == taken.lost_before
            counters.append(taken.counter)
            if taken.lost_before:
                break
    assert taken.why == "2 of 9 packets are missing"


def test_idle_is_no_fault(make: Callable[..., IsolatedCamera]) -> None:
    """A driver that waits for a frame longer than the watchdog's time shows life, and is not ended."""
    with make(frames=1, watchdog_s=0.5) as camera:
        camera.start()
        next_frame(camera)
        assert camera.grab(None, 1.5) is None
        assert camera.counters()["driver_restarts"] == 0


def test_a_driver_that_stands_still_is_ended(make: Callable[..., IsolatedCamera]) -> None:
    """A process that the scheduler gives nothing (SIGSTOP) is hung, and gone afterwards."""
    with make() as camera:
        camera.start()
        next_frame(camera)
        pid = camera.process_id
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(CameraLostError) as caught:
            grab_to_the_end(camera)
        assert caught.value.cause is Cause.HUNG
        assert is_gone(pid)


def test_features_are_read_and_written_beside_the_frames(
    make: Callable[..., IsolatedCamera], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values, limits and errors come over; a feature that hangs is given up, and the frames go on."""
    monkeypatch.setattr(own_camera, "_NODES_S", 0.5)
    with make(trouble="hang", stage="node") as camera:
        camera.start()
        nodes = camera.nodes
        assert nodes is not None
        assert list(nodes.names()) == ["Gain", "Slow"]
        assert nodes.has("Gain")
        nodes.set("Gain", 3.5)
        assert nodes.node("Gain").value == nodes.get("Gain") == 3.5
        with pytest.raises(NodeError, match="0 to 24") as caught:
            nodes.set("Gain", 99)
        assert caught.value.cause is Cause.REFUSED
        with pytest.raises(NodeError, match=r"get\('Slow'\) did not return") as caught:
            nodes.get("Slow")
        assert caught.value.cause is Cause.HUNG
        for _ in range(5):
            next_frame(camera)


def test_nothing_is_left_after_many_cycles(make: Callable[..., IsolatedCamera]) -> None:
    """8 times open, grab, close, half of them ended by kill -9: no process, thread, file or memory remains."""

    def cycle(killed: bool) -> None:
        camera = make(frames=2)
        camera.open()
        camera.start()
        next_frame(camera)
        pid = camera.process_id
        assert pid is not None
        if killed:
            os.kill(pid, signal.SIGKILL)
            with pytest.raises(CameraLostError, match="SIGKILL"):
                grab_to_the_end(camera)
        camera.close()
        assert is_gone(pid)

    cycle(False)
    before = open_files(), threading.active_count(), shared_memory(), psutil.Process().children()
    for number in range(8):
        cycle(number % 2 == 1)
    assert (open_files(), threading.active_count(), shared_memory(), psutil.Process().children()) == before


STATION = """
import os, sys
from camera import make_camera
camera = make_camera("troubled", "top", {"trouble": sys.argv[1], "watchdog_s": 60})
camera.open(); camera.start(); camera.grab(None, 60)
print(camera.process_id, flush=True)
camera.grab(None, 60); camera.grab(None, 60); camera.grab(None, 60)
"""


@pytest.mark.parametrize("trouble", ["none", "hang_with_lock"])
def test_the_driver_dies_with_the_station(make: Callable[..., IsolatedCamera], trouble: str) -> None:
    """kill -9 of the station ends its driver at once, even one that hangs with the interpreter's lock held."""
    assert make is not None
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    station = subprocess.Popen(
        [sys.executable, "-c", STATION, trouble], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env
    )
    try:
        assert station.stdout is not None
        driver = os.pidfd_open(int(station.stdout.readline()))
    finally:
        station.kill()
        station.wait()
    ended = select.poll()
    ended.register(driver, select.POLLIN)
    assert ended.poll(BOUND_S * 1000)
    os.close(driver)
    station.stdout.close()


def test_the_driver_outlives_the_thread_that_began_it(make: Callable[..., IsolatedCamera]) -> None:
    """A camera that one thread opened again is used by the next one, after the first has ended."""
    camera = make()
    opening = threading.Thread(target=camera.open)
    opening.start()
    opening.join(BOUND_S)
    camera.start()
    assert all(np.all(next_frame(camera).pixels == number) for number in range(1, 10))
    camera.close()


class Taking(CameraLoop):
    """A camera's loop that keeps counters and notes each opening."""

    def __init__(self, camera: IsolatedCamera, events: CameraEvents) -> None:
        super().__init__(camera, lambda _timeout_s: True, events)
        self.taken: queue.Queue[int] = queue.Queue()

    def take(self, frame: Frame) -> None:
        self.taken.put(frame.counter)

    def miss(self, broken: BrokenFrame) -> None:
        raise AssertionError(broken.why)

    def reopening(self) -> None:
        self.taken.put(0)


@pytest.mark.parametrize("trouble", ["segfault", "hang_with_lock"])
def test_a_camera_loop_opens_a_driver_again_and_again(make: Callable[..., IsolatedCamera], trouble: str) -> None:
    """Each time the driver takes its process down the loop says so, begins it anew, and frames come again."""
    told: list[str] = []
    events = CameraEvents(
        lambda error: told.append(str(error)),
        lambda: told.append("recovered"),
        lambda why: told.append(f"failed {why}"),
    )
    camera = make(trouble=trouble, after=2, watchdog_s=0.5)
    loop = Taking(camera, events)
    camera.open()
    loop.start()
    try:
        taken = [loop.taken.get(timeout=BOUND_S) for _ in range(8)]
    finally:
        loop.stop()
        camera.close()
    assert taken == [1, 2, 0, 1, 2, 0, 1, 2]
    expected = "SIGSEGV" if trouble == "segfault" else "no sign of life"
    assert expected in told[0]
    assert told[1] == "recovered"
    assert not any(text.startswith("failed") for text in told)

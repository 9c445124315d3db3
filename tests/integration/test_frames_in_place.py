"""SDKs fill the memory that the station looks at: no copy, no change under a view, and each loss is told of."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np
import pytest
from gige import FakeProcess, network, require_aravis
from numpy.typing import NDArray
from producers import tlsimu

from camera import CameraLostError, Frame, make_camera
from camera.own_process.camera import IsolatedCamera

BOUND_S = 60.0
SIZE = (64, 48)
Kept = list[tuple[Frame, NDArray[np.uint8]]]


@pytest.fixture(params=["aravis", "genicam", "pylon"])
def make(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., IsolatedCamera]]:
    """Open a camera in a process of its own whose pictures differ from one to the next."""
    backend, options = str(request.param), dict[str, object]()
    with ExitStack() as stack:
        if backend == "aravis":
            require_aravis()
            stack.enter_context(network())
            stack.enter_context(FakeProcess("INPLACE"))
            options = {"device": "127.0.0.1", "roi": (0, 0, *SIZE), "frame_rate_hz": 100.0, "exposure_us": 1000.0}
        elif backend == "genicam":
            features = {"Width": SIZE[0], "Height": SIZE[1]}
            options = {"producer": tlsimu(), "device": "SN_InterfaceA_0", "features": features}
        else:
            pytest.importorskip("pypylon")
            monkeypatch.setenv("PYLON_CAMEMU", "1")
            for level in (20, 70, 120, 170, 220):
                assert cv2.imwrite(str(tmp_path / f"{level:03}.png"), np.full(SIZE[::-1], level, np.uint8))
            fast = {"ExposureTimeAbs": 100.0}
            options = {"emulated": True, "images": str(tmp_path), "roi": (0, 0, *SIZE), "pixel_format": "Mono8",
                       "frame_rate_hz": 200.0, "features": fast}  # fmt: skip

        def opened(**more: object) -> IsolatedCamera:
            asked = {name: value for name, value in options.items() if not (more and name == "frame_rate_hz")}
            camera = make_camera(backend, "top", asked | more)
            assert isinstance(camera, IsolatedCamera)
            return stack.enter_context(camera)

        yield opened


def one(camera: IsolatedCamera) -> Frame:
    """Grab the next frame that came whole."""
    until = time.monotonic() + BOUND_S
    while time.monotonic() < until:
        came = camera.grab(None, 1.0)
        if isinstance(came, Frame):
            return came
    raise AssertionError("no frame came whole")


def kept(camera: IsolatedCamera, count: int) -> Kept:
    """Keep so many frames, each with a copy of what it shows."""
    frames = [one(camera) for _ in range(count)]
    return [(frame, frame.pixels.copy()) for frame in frames]


def assert_as_they_were(frames: Kept) -> None:
    for frame, shown in frames:
        assert np.array_equal(frame.pixels, shown), f"frame {frame.counter} has changed"


def asked_for(camera: IsolatedCamera) -> Frame:
    """Trigger as soon as it can be, and return the picture."""
    until = time.monotonic() + BOUND_S
    while camera.trigger() is None:
        assert time.monotonic() < until
    return one(camera)


def test_no_pixel_is_copied(make: Callable[..., IsolatedCamera]) -> None:
    """Eight frames in work all the time, many times as many as there are buffers, and again after a restart."""
    source = make(trigger="software", trigger_answer_s=BOUND_S)
    for _ in range(2):
        source.start()
        work: Kept = []
        for _ in range(60):
            frame = asked_for(source)
            work = [*work[-7:], (frame, frame.pixels.copy())]
            assert_as_they_were(work)
        source.stop()
    assert source.counters()["copied_bytes"] == 0


def lost(camera: IsolatedCamera) -> None:
    """Grab until the driver is lost."""
    while True:
        camera.grab(None, 1.0)


def test_frames_that_are_looked_at_stay_as_they_are(make: Callable[..., IsolatedCamera]) -> None:
    """More of them than an SDK has buffers, while others come, over a restart, and after the driver was killed."""
    source = make()
    source.start()
    frames = kept(source, 40)
    assert len({frame.counter for frame, _ in frames}) == 40
    kept(source, 60)
    assert_as_they_were(frames)
    source.stop()
    source.start()
    kept(source, 60)
    assert_as_they_were(frames)
    assert source.process_id is not None
    os.kill(source.process_id, signal.SIGKILL)
    with pytest.raises(CameraLostError):
        lost(source)
    source.close()
    assert_as_they_were(frames)


def test_slots_that_run_out_are_counted_and_told_of(make: Callable[..., IsolatedCamera]) -> None:
    """Nobody takes a frame for a while: the newer ones are dropped, and the numbers say how many they were."""
    source = make()
    source.start()
    one(source)
    until = time.monotonic() + BOUND_S
    while source.counters()["underruns"] < 30:
        assert time.monotonic() < until
    last, missed = None, 0
    until = time.monotonic() + BOUND_S
    while missed < 30:
        assert time.monotonic() < until
        came = source.grab(None, 1.0)
        if came is None:
            continue
        assert last is None or came.counter == last + 1 + came.lost_before
        missed += 0 if last is None else came.lost_before
        last = came.counter
    one(source)

"""The recorder: what it cannot keep is counted in its place, and its queue never grows beyond its size."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pipe_camera import CameraDevice, Options, PipeCamera

from camera import Camera, make_camera
from camera.errors import RecordingError
from camera.frame import BrokenFrame, Frame, Pixels
from camera.raw_playback import RawRecording
from camera.raw_recording import RawRecordingWriter
from inspection.offline.recorder import COMPLETE, SOURCE_ENDED, STOPPED, Progress, Recorder, Wanted
from inspection.offline.waiting_exposures import Exposure, WaitingExposures

GRAB_S = 30.0


class Parts:
    """A grey level a part."""

    def render(self, part: int) -> Pixels:
        return np.full((48, 64), part % 251, np.uint8)

    def truth(self, part: int) -> str:
        return f"part {part}"


def simulated(**options: object) -> Camera:
    return make_camera("simulated", "top", {"paced": False, **options}, scene=Parts())


def frame(counter: int, size: int) -> Frame:
    return Frame("top", counter, None, counter, 0, "Mono8", np.full((1, size), counter % 256, np.uint8))


def run(camera: Camera, folder: Path, **wanted: object) -> Recorder:
    return Recorder(camera, Wanted(folder, **wanted), {})  # type: ignore[arg-type]


def look(_: Progress) -> None:
    """Nobody watches."""


@settings(max_examples=100, deadline=None)
@given(
    steps=st.lists(st.one_of(st.integers(1, 9_000), st.just("broken"), st.just("written")), max_size=60),
    capacity=st.integers(1, 20_000),
)
def test_the_queue_keeps_order_and_bound(steps: list[int | str], capacity: int) -> None:
    """What is taken comes out in its order; more than fits is taken only by an empty queue, and never twice."""
    queue, expected, used = WaitingExposures(capacity), deque[tuple[Exposure, int]](), 0
    for number, step in enumerate(steps):
        if step == "written":
            if expected:
                first = queue.first()
                assert first == expected[0]
                queue.drop_first()
                used -= cost(expected.popleft()[0])
            continue
        one = BrokenFrame("top", number, None, 0, 0, "why") if step == "broken" else frame(number, int(step))
        fits = not expected or used + cost(one) <= capacity
        assert queue.put(one, number) == fits
        if fits:
            expected.append((one, number))
            used += cost(one)
        assert queue.share == used / capacity
    queue.close()
    for item in expected:
        assert queue.first() == item
        queue.drop_first()
    assert queue.first() is None


def cost(one: Exposure) -> int:
    return 1_000 + (one.pixels.nbytes if isinstance(one, Frame) else 0)


def test_frames_are_recorded_until_there_are_enough(tmp_path: Path) -> None:
    """So many whole frames as were wanted, each with the counter and the gap that the camera gave."""
    seen: list[Progress] = []
    with simulated(lost_frame_rate=0.3, seed=4) as camera:
        outcome = run(camera, tmp_path / "r", frames=40).run(seen.append)
    assert (outcome.frames, outcome.ending, outcome.is_whole) == (40, COMPLETE, True)
    recording = RawRecording(tmp_path / "r")
    assert recording.ending == ""
    assert len(recording.exposures) == 40
    assert recording.count == recording.exposures[-1].counter == 40 + outcome.lost > 40
    assert [one.frames for one in seen] == sorted(one.frames for one in seen)
    for exposure in recording.exposures:
        pixels = recording.read(exposure.counter - 1)
        assert pixels is not None
        assert (pixels == exposure.counter % 251).all()


def test_a_source_that_ends_ends_the_recording(tmp_path: Path) -> None:
    """A belt of 7 parts gives 7 frames, whatever was wanted."""
    with simulated(parts=7) as camera:
        outcome = run(camera, tmp_path / "r", frames=40).run(look)
    assert (outcome.frames, outcome.ending, outcome.is_whole) == (7, SOURCE_ENDED, True)


def test_a_recording_can_be_stopped(tmp_path: Path) -> None:
    """After a call of `stop` what was grabbed is written, and the end mark says so."""
    with simulated() as camera:
        recorder = run(camera, tmp_path / "r")
        outcome = recorder.run(lambda now: recorder.stop() if now.frames == 5 else None)
    assert (outcome.frames, outcome.ending) == (5, STOPPED)
    assert RawRecording(tmp_path / "r").end is not None


def test_a_software_triggered_camera_is_asked(tmp_path: Path) -> None:
    """A camera that waits for software gives as many frames as are wanted."""
    with simulated(paced=True, trigger="software", readout_ms=0.0, exposure_us=0.0) as camera:
        outcome = run(camera, tmp_path / "r", frames=12).run(look)
    assert (outcome.frames, outcome.lost) == (12, 0)


def test_what_does_not_fit_is_counted_in_its_place(tmp_path: Path) -> None:
    """A buffer of one frame before a camera without pauses: whatever is missing is told, before whom it is missing,
    and a replay shows it as the gap that it is."""
    source, count = tmp_path / "source", 120
    writer = RawRecordingWriter(source, {}, 0)
    for counter in range(1, count + 1):
        pixels = np.full((500, 1000), counter, np.uint8)
        writer.write(Frame("top", counter, counter, counter, 1 if counter == 1 else 0, "Mono8", pixels))
    writer.close("complete")
    with make_camera("replay", "top", {"path": str(source), "rate_hz": 0, "preload": True}) as camera:
        outcome = run(camera, tmp_path / "r", buffer_bytes=1).run(look)
    assert outcome.frames + outcome.unrecorded == count
    assert outcome.unrecorded > 0
    assert not outcome.is_whole
    recording = RawRecording(tmp_path / "r")
    assert recording.end is not None
    assert recording.end.unrecorded == outcome.unrecorded
    before = 0
    for exposure in recording.exposures:
        assert exposure.counter == before + 1 + exposure.lost_before + exposure.unrecorded_before
        before = exposure.counter
        pixels = recording.read(exposure.counter - 1)
        assert pixels is not None
        assert (pixels == exposure.counter - 1).all()


def test_a_camera_that_goes_away_ends_the_recording(tmp_path: Path) -> None:
    """What came before is whole, the gap is there, and the end mark says that the camera was lost."""
    device = CameraDevice(tmp_path / "device")
    device.plug_in()
    camera = PipeCamera("top", Options(path=tmp_path / "device"))
    with camera:
        device.wait_for_station(GRAB_S)
        device.part(10)
        device.part(20, incomplete=True)
        device.part(30)
        device.unplug()
        outcome = run(camera, tmp_path / "r").run(look)
    assert (outcome.frames, outcome.lost, outcome.is_whole) == (2, 1, False)
    assert outcome.ending.startswith("the camera was lost: camera 'top' has gone")
    recording = RawRecording(tmp_path / "r")
    assert recording.end is not None
    assert recording.end.end == outcome.ending
    assert [one.counter for one in recording.exposures] == [1, 3]


def test_too_little_room_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    """What is wanted, what is kept free and what there is: all three are named, and no folder is left."""
    with (
        simulated() as camera,
        pytest.raises(RecordingError, match=r"need 0\.0 MB, and 1000000000\.0 GB are kept free"),
    ):
        run(camera, tmp_path / "r", frames=3, keep_free_bytes=10**18).run(look)
    assert not (tmp_path / "r").exists()


def test_a_camera_that_gives_nothing_leaves_no_recording(tmp_path: Path) -> None:
    """Waiting is no fault, but a recording of nothing is told."""
    with simulated(paced=True, speed_mm_s=0.1) as camera, pytest.raises(RecordingError, match="no picture came"):
        run(camera, tmp_path / "r", seconds=0.05).run(look)
    assert not (tmp_path / "r").exists()

"""The conveyor camera: its pictures show each part where the belt's course says, and its frames count exposures."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camera import CameraOptionsError, Frame, Pixels, make_camera
from camera.conveyor import ConveyorCamera
from camera.moving_belt import MovingBelt

PLAIN: dict[str, object] = {
    "width": 200, "height": 40, "mm_per_px": 1.0, "length_mm": 30.0, "pitch_mm": 70.0, "jitter_mm": 10.0, "noise": 0.0,
    "texture": 0.0, "belt_level": 50, "frame_rate_hz": 50.0, "speed_mm_s": 500.0, "paced": False,
}  # fmt: skip


class Levels:
    """Each part has a grey level of its own; its leading quarter is white."""

    def render(self, part: int) -> Pixels:
        pixels = np.full((20, 32), 100 + part % 100, np.uint8)
        pixels[:, 24:] = 255
        return pixels

    def truth(self, part: int) -> str:
        return "chip" if part % 4 == 0 else "good"


def shown(**changes: object) -> tuple[ConveyorCamera, list[Frame]]:
    camera = make_camera("conveyor", "top", {**PLAIN, "parts": 9, **changes}, scene=Levels())
    assert isinstance(camera, ConveyorCamera)
    with camera:
        camera.start()
        frames = []
        while not camera.exhausted:
            if (frame := camera.grab(None, 30.0)) is not None:
                frames.append(frame)
    return camera, frames


@pytest.mark.parametrize("changes", [{}, {"direction": "left"}, {"run_s": 0.3, "stop_s": 0.2, "swing": 0.5}])
def test_parts_are_where_the_belt_says(changes: dict[str, object]) -> None:
    """In every frame each part's pixels lie between its leading and its trailing edge, to a pixel, and all pass."""
    camera, frames = shown(**changes)
    passed = set()
    for frame in frames:
        assert frame.device_ns is not None
        row = frame.pixels[20] if camera._options.direction == "right" else frame.pixels[20, ::-1]
        expected = np.zeros(200, bool)
        for part in range(1, 10):
            lead = camera.places.moved_mm(frame.device_ns) - camera.places.place_mm(part)
            if 0 < lead < 230:
                expected[max(0, round(lead) - 30) : max(0, round(lead))] = True
                if 30 < lead < 190:
                    passed.add(part)
                    assert row[round(lead) - 15] == 100 + part
                    upright = camera._options.direction == "right"  # a picture is never mirrored, only the way
                    assert row[round(lead) - (2 if upright else 28)] == 255
        assert np.count_nonzero((row > 80) != expected) <= 2
    assert passed == set(range(1, 10))
    assert frames[-1].pixels.max() <= 51


def test_frames_count_exposures_and_truth_counts_parts() -> None:
    """Counters go up by one per exposure without a gap, the device's clock by the frame period; truth is by part."""
    camera, frames = shown()
    assert [frame.counter for frame in frames] == list(range(1, len(frames) + 1))
    assert len(frames) > 9
    times_ns = [frame.device_ns for frame in frames if frame.device_ns is not None]
    assert {b - a for a, b in pairwise(times_ns)} == {20_000_000}
    assert [camera.truth(part) for part in (3, 4)] == ["good", "chip"]
    assert not camera.reports_triggers


@given(
    run_s=st.floats(0.1, 3.0), stop_s=st.floats(0.0, 3.0), swing=st.floats(0.0, 0.9), touching=st.floats(0, 0.5),
    seed=st.integers(0, 2**32),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_the_belt_never_runs_back_and_parts_never_overlap(
    run_s: float, stop_s: float, swing: float, touching: float, seed: int
) -> None:
    """For any swing and stops the way only grows; parts keep their order, and touch exactly where they should."""
    belt = MovingBelt(400.0, 100.0, 60.0, 15.0, touching, swing, 1.7, run_s, stop_s, seed)
    ways_mm = [belt.moved_mm(step * 7_000_000) for step in range(400)]
    assert all(b >= a - 1e-9 for a, b in pairwise(ways_mm))
    for part in range(2, 40):
        apart_mm = belt.place_mm(part) - belt.place_mm(part - 1)
        assert apart_mm == pytest.approx(60.0) if belt.touches(part) else apart_mm > 60.0
    when_ns = belt.when_ns(333.0)
    assert belt.moved_mm(when_ns) >= 333.0 > belt.moved_mm(when_ns - 2_000)


def test_light_and_noise_are_seen() -> None:
    """The light swings by its share, and noise differs from frame to frame."""
    _, frames = shown(light_drift=0.4, light_period_s=1.0)
    levels = [float(frame.pixels[2].mean()) for frame in frames]
    assert min(levels) < 35
    assert max(levels) > 65
    _, noisy = shown(noise=4.0)
    assert (noisy[0].pixels != noisy[1].pixels).mean() > 0.5
    assert 3 < noisy[0].pixels[:5].std() < 5


def test_parts_that_would_overlap_are_refused() -> None:
    """Parts longer than the free way between them are refused with the figures."""
    with pytest.raises(CameraOptionsError, match=r"length_mm = 30.*at least 50"):
        make_camera("conveyor", "top", {**PLAIN, "pitch_mm": 45.0}, scene=Levels())

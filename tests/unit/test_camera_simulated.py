"""The simulated camera: faults at stated rates, the same every time, and the truth of every part."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest

from camera import CameraOptionsError, Frame, Pixels, make_camera
from camera.belt import chance

BOUND_S = 30.0


class Counted:
    """A scene that remembers which parts were painted."""

    def __init__(self) -> None:
        self.painted: list[int] = []

    def render(self, part: int) -> Pixels:
        self.painted.append(part)
        return np.full((4, 4, 3), part % 256, np.uint8)

    def truth(self, part: int) -> str:
        return "stain" if part % 5 == 0 else "good"


def grab_all(options: dict[str, object]) -> list[Frame]:
    frames: list[Frame] = []
    with make_camera("simulated", "top", options, scene=Counted()) as camera:
        camera.start()
        while not camera.exhausted:
            if (frame := camera.grab(None, BOUND_S)) is not None:
                frames.append(frame)
    return frames


def test_lost_frames_follow_the_seed_and_the_rate() -> None:
    """The same seed loses the same frames, another seed others, about as many as stated; each shows as a gap."""
    options = {"paced": False, "parts": 1000, "lost_frame_rate": 0.2, "seed": 7}
    frames = grab_all(options)
    counters = [frame.counter for frame in frames]
    assert counters == [part for part in range(1, 1001) if chance(7, "lost", part) >= 0.2]
    assert 140 <= 1000 - len(counters) <= 260
    assert sum(frame.lost_before for frame in frames) == counters[-1] - len(counters)
    assert counters == [frame.counter for frame in grab_all(options)]
    assert counters != [frame.counter for frame in grab_all({**options, "seed": 8})]


def test_a_late_frame_arrives_after_its_delay() -> None:
    """A late frame comes no earlier than its delay after the crossing, and is not lost."""
    options = {"parts": 1, "pitch_mm": 1, "jitter_mm": 0, "late_frame_rate": 1.0, "late_frame_ms": 30.0}
    with make_camera("simulated", "top", options, scene=Counted()) as camera:
        camera.start()
        trigger = camera.wait_trigger(BOUND_S)
        frame = camera.grab(None, BOUND_S)
    assert trigger is not None
    assert frame is not None
    assert frame.received_host_ns - trigger.host_ns >= 30_000_000 + 5_000_000 + 500_000


def test_a_trigger_bears_the_time_of_the_crossing() -> None:
    """Triggers that are read late still bear the time at which the beam was broken, at the exact spacing."""
    options = {"pitch_mm": 2, "jitter_mm": 0, "speed_mm_s": 1000.0, "parts": 5}
    with make_camera("simulated", "top", options, scene=Counted()) as camera:
        camera.start()
        while camera.grab(None, BOUND_S) is not None:
            pass
        read_host_ns = time.monotonic_ns()
        triggers = [camera.wait_trigger(BOUND_S) for _ in range(5)]
    times_ns = [trigger.host_ns for trigger in triggers if trigger is not None]
    assert [b - a for a, b in pairwise(times_ns)] == [2_000_000] * 4
    assert times_ns[-1] <= read_host_ns


def test_the_truth_is_known_for_lost_frames_too() -> None:
    """A part whose frame never arrived still has its truth, and nothing was painted for it."""
    scene = Counted()
    options = {"paced": False, "parts": 20, "lost_frame_rate": 1.0}
    with make_camera("simulated", "top", options, scene=scene) as camera:
        camera.start()
        assert camera.grab(None, BOUND_S) is None
        assert camera.exhausted
    assert [camera.truth(part) for part in (4, 5, 20)] == ["good", "stain", "stain"]
    assert scene.painted == []


def test_a_picture_is_painted_once() -> None:
    """Grabs that run out do not paint the coming part again."""
    scene = Counted()
    with make_camera("simulated", "top", {"speed_mm_s": 0.01}, scene=scene) as camera:
        camera.start()
        for _ in range(3):
            assert camera.grab(None, 0.0) is None
    assert scene.painted == [1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"speed_mm_s": 0, "pitch_mm": "wide", "sped": 1},
            ["3 problem", "speed_mm_s = 0", "pitch_mm = 'wide'", "sped: unknown"],
        ),
        ({"jitter_mm": 50.0, "pitch_mm": 100.0}, ["jitter_mm = 50", "45"]),
        ({"lost_frame_rate": 1.5}, ["lost_frame_rate = 1.5"]),
        ({"parts": 0}, ["parts = 0"]),
    ],
)
def test_bad_options_are_told_all_together(options: dict[str, object], words: list[str]) -> None:
    """Every problem of the options is in one error: the key, its value and the limit."""
    with pytest.raises(CameraOptionsError) as caught:
        make_camera("simulated", "top", options, scene=Counted())
    text = str(caught.value)
    assert caught.value.exit_code == 2
    assert "'top'" in text
    assert [word for word in words if word not in text] == []


class Edge(Counted):
    """Every part is a bright edge."""

    def render(self, part: int) -> Pixels:
        picture = np.full((16, 16, 3), 40, np.uint8)
        picture[:, 8:] = 200
        return picture


def test_it_sees_badly_from_one_part_to_another() -> None:
    """Only the parts poor_from … poor_to are blurred and darker, by what was stated."""
    options = {"paced": False, "parts": 6, "poor_from": 3, "poor_to": 4, "defocus_px": 2.0, "dim_stops": 1.0}
    with make_camera("simulated", "top", options, scene=Edge()) as camera:
        camera.start()
        frames: list[Frame] = []
        while not camera.exhausted:
            if isinstance(frame := camera.grab(None, BOUND_S), Frame):
                frames.append(frame)
    means = [float(frame.pixels.mean()) for frame in frames]
    steepest = [int(np.abs(np.diff(frame.pixels.astype(int), axis=1)).max()) for frame in frames]
    assert means == pytest.approx([120, 120, 60, 60, 120, 120], abs=1)
    assert [step == 160 for step in steepest] == [True, True, False, False, True, True]
    assert max(steepest[2:4]) < 40

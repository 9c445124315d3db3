"""Free-running detection: frames in, exactly one detection per part out, whatever the belt and the light do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from camera import Frame, Pixels, make_camera
from camera.conveyor import ConveyorCamera
from inspection.tracking.detection import Detection, FreeRunSettings
from inspection.tracking.free_run import FreeRunTriggers
from inspection.tracking.presence import PresenceSettings

LENGTH, WIDTH = 80, 320
BELT: dict[str, object] = {
    "width": WIDTH, "height": 96, "mm_per_px": 1.0, "frame_rate_hz": 60.0, "paced": False, "length_mm": float(LENGTH),
    "pitch_mm": 130.0, "jitter_mm": 10.0, "speed_mm_s": 900.0, "seed": 3,
}  # fmt: skip


class Tiles:
    """Parts with a pattern of their own."""

    def render(self, part: int) -> Pixels:
        pattern = np.random.default_rng(part).integers(90, 180, (12, 16)).astype(np.uint8)
        return np.asarray(cv2.resize(pattern, (80, 60), interpolation=cv2.INTER_LINEAR), np.uint8)

    def truth(self, part: int) -> str:
        return "good"


class Photographs:
    """Parts that are real photographs, one after the other."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.pictures = [cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) for file in files]

    def render(self, part: int) -> Pixels:
        return np.asarray(cv2.resize(self.pictures[(part - 1) % len(self.pictures)], (80, 60)), np.uint8)

    def truth(self, part: int) -> str:
        return ""


@dataclass
class Seen:
    """What came out of a run, and the belt that it came from."""

    triggers: FreeRunTriggers
    camera: ConveyorCamera
    found: list[Detection]
    frames: int

    def place_errors_px(self) -> list[float]:
        """How far the leading edge of each part was from the line at its trigger."""
        places = self.camera.places
        return [
            places.moved_mm(detection.trigger_host_ns) - places.place_mm(detection.number) - WIDTH / 2
            for detection in self.found
        ]


def conveyor(scene: object, options: dict[str, object]) -> ConveyorCamera:
    camera = make_camera("conveyor", "top", options, scene=scene)  # type: ignore[arg-type]
    assert isinstance(camera, ConveyorCamera)
    return camera


def frames_of(camera: ConveyorCamera) -> list[Frame]:
    """All frames of a short belt."""
    with camera:
        camera.start()
        frames = []
        while not camera.exhausted:
            if (frame := camera.grab(None, 30.0)) is not None:
                frames.append(frame)
    return frames


def learned(options: dict[str, object], **changes: object) -> FreeRunTriggers:
    """Triggers that have seen the empty belt."""
    settings = FreeRunSettings(LENGTH, **changes)  # type: ignore[arg-type]
    triggers = FreeRunTriggers(settings)
    bare = {**options, "pitch_mm": 9_999.0, "jitter_mm": 0.0, "parts": None, "light_drift": 0.0, "run_s": None}
    with conveyor(Tiles(), bare) as camera:
        camera.start()
        for number in range(settings.presence.learn_frames):
            assert not triggers.ready
            frame = camera.grab(None, 30.0)
            assert frame is not None
            assert triggers.feed(frame.pixels, number - 10**9) == []
    assert triggers.ready
    return triggers


def run(parts: int, scene: object | None = None, **changes: object) -> Seen:
    options = {**BELT, "parts": parts, **changes}
    triggers = learned(options, direction=options.get("direction", "right"))
    camera = conveyor(scene or Tiles(), options)
    found, frames = [], 0
    with camera:
        camera.start()
        while not camera.exhausted:
            frame = camera.grab(None, 30.0)
            if frame is not None:
                assert frame.device_ns is not None
                frames += 1
                found += triggers.feed(frame.pixels, frame.device_ns)
    return Seen(triggers, camera, found, frames)


@pytest.mark.parametrize(
    ("parts", "changes"),
    [
        (320, {"run_s": 4.0, "stop_s": 1.0, "swing": 0.5, "swing_period_s": 7.0}),
        (60, {"direction": "left", "run_s": 1.3, "stop_s": 0.4, "seed": 9}),
        (60, {"light_drift": 0.4, "light_period_s": 5.0, "noise": 4.0}),
        (60, {"speed_mm_s": 1_700.0, "swing": 0.2}),
        (20, {"speed_mm_s": 120.0, "swing": 0.8, "run_s": 2.0, "stop_s": 1.0}),
    ],
)
def test_each_part_is_found_once(parts: int, changes: dict[str, object]) -> None:
    """Random pitch, stops, a swinging speed, slow and fast belts, drifting light: one detection per part, in order,
    with its trigger where the leading edge crosses the line to a fraction of the way from frame to frame."""
    seen = run(parts, **changes)
    assert [detection.number for detection in seen.found] == list(range(1, parts + 1))
    assert all(detection.separable for detection in seen.found)
    errors_px = np.abs(seen.place_errors_px())
    assert np.median(errors_px) < 1
    assert errors_px.max() < 6
    assert seen.triggers.counters.blind == 0


def test_touching_parts_are_counted_and_flagged() -> None:
    """Parts that touch are told apart in number, and each of them, and no other, is flagged."""
    seen = run(120, touching_rate=0.12)
    belt = seen.camera.places
    assert [detection.number for detection in seen.found] == list(range(1, 121))
    touching = {n for part in range(1, 121) if belt.touches(part) for n in (part - 1, part)}
    assert len(touching) > 10
    assert {detection.number for detection in seen.found if detection.touching} == touching


def test_a_part_that_stands_in_the_band_is_one_part() -> None:
    """A belt that stops for over a thousand frames with parts in view triggers nothing twice and learns no part."""
    frames = frames_of(conveyor(Tiles(), {**BELT, "parts": 4, "noise": 0.0}))
    triggers = learned({**BELT, "noise": 0.0})
    stop = len(frames) // 2
    rng = np.random.default_rng(1)
    found, now_ns = [], 0
    for index, frame in enumerate(frames):
        for repeat in range(1 if index != stop else 1_500):
            now_ns += 16_666_667
            noise = rng.integers(0, 3, (frame.pixels.shape[0], 1)).astype(np.uint8)
            found += triggers.feed(cv2.add(frame.pixels, np.repeat(noise, WIDTH, axis=1)), now_ns)
            assert index != stop or repeat == 0 or len(found) <= 4
    assert [detection.number for detection in found] == [1, 2, 3, 4]
    assert all(detection.separable for detection in found)


def test_the_best_frame_shows_the_part_in_the_middle() -> None:
    """The best frame is one of the last three, its region holds the part wholly and nearly nothing else, near the
    middle of the picture, in either direction and along either axis."""
    for direction in ("right", "left", "down", "up"):
        side = "right" if direction in ("right", "down") else "left"
        frames = frames_of(conveyor(Tiles(), {**BELT, "parts": 6, "direction": side}))
        turned = direction in ("down", "up")
        triggers = FreeRunTriggers(FreeRunSettings(LENGTH, direction=direction))  # type: ignore[arg-type]
        bare = conveyor(Tiles(), {**BELT, "pitch_mm": 9_999.0, "jitter_mm": 0.0, "direction": side})
        with bare as camera:
            camera.start()
            for number in range(24):
                frame = camera.grab(None, 30.0)
                assert frame is not None
                triggers.feed(frame.pixels.T.copy() if turned else frame.pixels, number - 10**9)
        found = 0
        for fed, frame in enumerate(frames, 25):
            assert frame.device_ns is not None
            for detection in triggers.feed(frame.pixels.T.copy() if turned else frame.pixels, frame.device_ns):
                found += 1
                assert fed - 2 <= detection.best_frame <= fed
                region = detection.region
                x, width = (region.y, region.height) if turned else (region.x, region.width)
                y, height = (region.x, region.width) if turned else (region.y, region.height)
                assert abs(x + width / 2 - WIDTH / 2) < 12
                assert LENGTH <= width <= LENGTH + 32
                assert 60 <= height <= 96
                best = frames[detection.best_frame - 25].pixels[y : y + height, x : x + width]
                assert (best > 85).mean() > 0.55
        assert found == 6


def test_a_gap_in_the_stream_makes_what_is_in_view_unsure() -> None:
    """After many frames were lost nobody knows what passed: it is counted, and parts in view then are not trusted."""
    frames = frames_of(conveyor(Tiles(), {**BELT, "parts": 12}))
    triggers = learned(BELT)
    found = []
    for index, frame in enumerate(frames):
        if not 50 <= index < 70:
            assert frame.device_ns is not None
            found += [(index, detection) for detection in triggers.feed(frame.pixels, frame.device_ns)]
    assert triggers.counters.blind == 1
    assert [detection.unsure for index, detection in found if index < 50] == [False] * sum(i < 50 for i, _ in found)
    assert any(detection.unsure for _, detection in found)
    assert all(detection.separable for index, detection in found if index > 95)


def test_photographs_of_real_things_are_found_once_each(shared_data: Path) -> None:
    """Real tiles, steel strip and biscuits laid on the belt: one detection each."""
    folders = ("magnetic_tile/MT_Free", "magnetic_tile", "x_sdd", "cookies")
    files = [file for folder in folders for file in sorted((shared_data / folder).rglob("*.jpg"))[::17][:14]]
    assert len(files) >= 30
    seen = run(len(files), Photographs(files), run_s=1.5, stop_s=0.5, belt_level=25, texture=3.0)
    assert [detection.number for detection in seen.found] == list(range(1, len(files) + 1))
    assert np.abs(seen.place_errors_px()).max() < 40


def test_a_picture_too_short_for_its_parts_is_refused() -> None:
    """A part longer than 0.6 of the picture is refused with the figures."""
    with pytest.raises(ValueError, match=r"part_length = 80.*100 pixels"):
        FreeRunTriggers(FreeRunSettings(LENGTH)).feed(np.zeros((96, 100), np.uint8), 0)


def test_nothing_is_seen_on_an_empty_belt() -> None:
    """An empty belt with its texture, noise and drifting light gives no detection in a thousand frames."""
    triggers = learned(BELT)
    bare = {
        **BELT,
        "pitch_mm": 9_999.0,
        "jitter_mm": 0.0,
        "speed_mm_s": 500.0,
        "light_drift": 0.5,
        "light_period_s": 3.0,
    }
    with conveyor(Tiles(), bare) as camera:
        camera.start()
        for _ in range(1_000):
            frame = camera.grab(None, 30.0)
            assert frame is not None
            assert frame.device_ns is not None
            assert triggers.feed(frame.pixels, frame.device_ns) == []


def test_the_belt_is_learned_while_parts_run_over_it() -> None:
    """Parts that cover less than half of the time at each place do not get into the empty belt."""
    options = {**BELT, "pitch_mm": 220.0}
    frames = frames_of(conveyor(Tiles(), {**options, "parts": 30}))
    triggers = FreeRunTriggers(FreeRunSettings(LENGTH, presence=PresenceSettings(learn_frames=60)))
    found = []
    for frame in frames:
        assert frame.device_ns is not None
        found += triggers.feed(frame.pixels, frame.device_ns)
    seen_while_learning = 30 - len(found)
    assert 1 <= seen_while_learning <= 5
    assert all(detection.separable for detection in found[2:])


def test_a_film_of_a_real_belt(shared_data: Path) -> None:
    """On a real belt with its seam, its frame and light that sinks to two thirds, filmed at 90 Hz: three plugs and a
    cone are found once each as they reach the middle, at the belt's speed of about 2.3 pixels a frame."""
    film = cv2.VideoCapture(str(shared_data / "video" / "conveyor_dev_960x540_90fps.mp4"))
    triggers = FreeRunTriggers(
        FreeRunSettings(
            part_length=250, direction="left", band=(0.3, 0.8), channel=2,
            presence=PresenceSettings(learn_frames=60, floor=40.0),
        )
    )  # fmt: skip
    found, frames = [], 0
    while (read := film.read())[0]:
        frames += 1
        found += triggers.feed(np.asarray(read[1], np.uint8), round(frames * 1e9 / 90))
    assert frames == 933
    assert len(found) == 4
    assert all(detection.separable for detection in found)
    assert [round(detection.length_px / 10) for detection in found] == pytest.approx([25, 25, 25, 15], abs=1)
    assert all(190 < detection.speed_px_s < 245 for detection in found)


def test_a_covered_belt_is_told() -> None:
    """A belt that looks occupied from end to end (something fell over it, the light broke) is told as covered."""
    triggers = learned(BELT)
    rng = np.random.default_rng(0)
    triggers.feed(rng.integers(0, 255, (96, WIDTH), np.uint8), 0)
    assert triggers.covered > 0.9

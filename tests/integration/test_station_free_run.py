"""A station whose only eye is a free-running camera: parts are found in its pictures, each once, and judged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from station_runs import GOES_ON, run_to_the_end

from camera.backends import make_camera
from camera.frame import Frame, Trigger
from inspection.alarms import ALARMS
from inspection.camera_presence import CameraEvents
from inspection.config import StationConfig
from inspection.free_run_line import FreeRunEvents, FreeRunLine
from inspection.part import Reason, Verdict
from inspection.simulation.scene import SyntheticScene
from inspection.station import Station
from inspection.tracking.detection import FreeRunSettings
from inspection.tracking.free_run import FreeRunTriggers

PARTS = 24
BELT = {
    "width": 480, "height": 160, "mm_per_px": 1.0, "speed_mm_s": 1500.0, "length_mm": 120.0, "pitch_mm": 260.0,
    "jitter_mm": 10.0, "frame_rate_hz": 60.0, "belt_level": 150, "seed": 5, "parts": PARTS,
}  # fmt: skip


def test_each_part_in_the_stream_is_one_record_and_touching_ones_are_rejected(tmp_path: Path) -> None:
    """Parts on the belt and records agree one to one; every third touches the one before, and none of those passes."""
    camera = {"backend": "conveyor", **BELT, "touching_rate": 0.3}
    config = StationConfig.model_validate(
        {
            "camera": camera,
            "free_run": {"part_length_px": 120},
            "model": {"bundle": "zoo:parts", "threshold": 1.0},
            "geometry": {"travel_time_s": 2.0, "separation_ms": 1},
            "ejector": {"driver": "simulated", "heartbeat_channel": 2, "pulse_ms": 5.0},
            "records": {"dir": str(tmp_path), "min_free_mb": 0},
            "reactions": GOES_ON,
        }
    )
    station = Station(config)
    records = run_to_the_end(station)
    assert sorted(record.part for record in records) == list(range(1, PARTS + 1))
    reasons = [record.reason for record in records]
    assert reasons.count(Reason.NO_IMAGE) == 0
    doubtful = [record for record in records if record.extra.get("failure")]
    assert doubtful
    assert all(record.verdict is Verdict.REJECT for record in doubtful)
    assert any(record.verdict is Verdict.PASS for record in records)
    assert all(record.score is not None for record in records if record not in doubtful)


class Told:
    """Stands where the flow is, and notes which parts come with a picture that may be trusted."""

    def __init__(self) -> None:
        self.trusted: list[int] = []
        self.doubted: list[int] = []

    def on_trigger(self, trigger: Trigger, truth: str) -> None: ...

    def on_frame(self, number: int, frame: Frame) -> None:
        self.trusted.append(number)

    def on_doubtful_frame(self, number: int, frame: Frame, why: str) -> None:
        self.doubted.append(number)


def test_a_gap_in_the_stream_lets_nothing_pass() -> None:
    """Pictures that are missing are told as parts unseen, which blocks; what is in view then is not trusted."""
    camera = make_camera("conveyor", "top", {**BELT, "paced": False}, scene=SyntheticScene(1, 0.0))
    unseen: list[str] = []
    blind: list[str] = []
    told = Told()
    line = FreeRunLine(
        camera,
        told,  # type: ignore[arg-type]
        lambda: FreeRunTriggers(FreeRunSettings(part_length=120)),
        lambda _timeout_s: True,
        CameraEvents(lambda _text: None, lambda: None, lambda _text: None),
        FreeRunEvents(blind.append, unseen.append),
    )
    with camera:
        camera.start()
        for count in range(200):
            frame = camera.grab(None, 5.0)
            assert frame is not None
            if not 140 <= count < 150:
                line.take(replace(frame, device_ns=None, received_host_ns=frame.device_ns or 0))
    assert blind == ["the empty belt is not learned yet", ""]
    assert unseen == ["pictures were missing"]
    assert ALARMS["PARTS_UNSEEN"].blocks
    assert told.trusted
    assert told.doubted

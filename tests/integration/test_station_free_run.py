"""A station whose only eye is a free-running camera: parts are found in its pictures, each once, and judged."""

from __future__ import annotations

from pathlib import Path

from station_runs import run_to_the_end

from inspection.config import StationConfig
from inspection.part import Reason, Verdict
from inspection.station import Station

PARTS = 24


def test_each_part_in_the_stream_is_one_record_and_touching_ones_are_rejected(tmp_path: Path) -> None:
    """Parts on the belt and records agree one to one; every third touches the one before, and none of those passes."""
    camera = {
        "backend": "conveyor", "width": 480, "height": 160, "mm_per_px": 1.0, "speed_mm_s": 1500.0, "length_mm": 120.0,
        "pitch_mm": 260.0, "jitter_mm": 10.0, "frame_rate_hz": 60.0, "touching_rate": 0.3, "belt_level": 150, "seed": 5,
        "parts": PARTS,
    }  # fmt: skip
    config = StationConfig.model_validate(
        {
            "camera": camera,
            "free_run": {"part_length_px": 120},
            "model": {"bundle": "zoo:parts", "threshold": 1.0},
            "geometry": {"travel_time_s": 2.0, "separation_ms": 1},
            "ejector": {"driver": "simulated", "heartbeat_channel": 2, "pulse_ms": 5.0},
            "records": {"dir": str(tmp_path), "min_free_mb": 0},
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

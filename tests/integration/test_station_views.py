"""A station with several cameras: each part's views find each other, and a part without one of them never passes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from station_runs import GOES_ON, run_to_the_end

from camera.image_size import image_size
from inspection.api.messages import result_message
from inspection.config import StationConfig
from inspection.errors import ConfigError
from inspection.part import Evaluation, Reason, Verdict
from inspection.records.reader import RecordReader
from inspection.station import Station

PARTS = 60
BELT = {"backend": "simulated", "speed_mm_s": 600.0, "pitch_mm": 60.0, "jitter_mm": 3.0, "seed": 4, "parts": PARTS}


def _config(folder: Path, cameras: list[dict[str, object]], **geometry: float) -> StationConfig:
    return StationConfig.model_validate(
        {
            "camera": cameras,
            "geometry": {"camera_to_ejector_mm": 480.0, "belt_speed_mm_s": 600.0, "closest_ms": 60.0, **geometry},
            "simulation": {"seed": 10_000, "defect_rate": 0.2},
            "inference": {"workers": 2},
            "ejector": {"driver": "simulated", "heartbeat_channel": 2, "window_ms": 20.0, "pulse_ms": 20.0},
            "records": {"dir": str(folder), "min_free_mb": 0},
            "reactions": GOES_ON,
        }
    )


def test_the_views_of_a_part_are_its_own_and_a_missing_one_rejects(tmp_path: Path) -> None:
    """Two cameras along the belt, the second loses a tenth of its frames: never another part's view, never a PASS."""
    cameras: list[dict[str, object]] = [
        {"name": "top", **BELT},
        {"name": "side", "position_mm": 60.0, "lost_frame_rate": 0.1, **BELT, "seed": 4},
    ]
    station = Station(_config(tmp_path, cameras))
    records = run_to_the_end(station)
    assert sorted(record.part for record in records) == list(range(1, PARTS + 1))
    both = 0
    for record in records:
        for view in record.extra["views"]:
            assert view["missing"] or view["frame_counter"] == record.part
        missing = [view["missing"] for view in record.extra["views"]]
        both += not any(missing)
        if any(missing):
            assert record.verdict is Verdict.REJECT
        elif record.verdict is Verdict.PASS:
            assert all(view["evaluation"] == Evaluation.OK for view in record.extra["views"])
    reasons = [record.reason for record in records]
    told = {alarm.name: alarm.values for alarm in station.alarms.active()}
    named = {record.missing_views for record in records if record.reason is Reason.MISSING_VIEW}
    assert ("side",) in named
    assert told["MISSING_VIEW"]["camera"] in {", ".join(cameras) for cameras in named}
    assert named <= {tuple(result_message(record).missing_views) for record in records}
    assert both > PARTS // 2
    assert Reason.MISSING_VIEW in reasons
    assert Reason.NONE in reasons
    kept = next(
        record for record in records if record.has_image and not any(v["missing"] for v in record.extra["views"])
    )
    found = RecordReader(tmp_path).image(kept.sequence)
    assert found is not None
    width, height = image_size(np.frombuffer(found[0], np.uint8).tobytes())
    assert (width, height) == (1280, 480)


def test_cameras_whose_frames_could_be_of_two_parts_are_refused(tmp_path: Path) -> None:
    """A window as wide as the distance of two parts leaves no sure match: the station says so before it starts."""
    cameras: list[dict[str, object]] = [{"name": "top", **BELT}, {"name": "side", "window_ms": 80.0, **BELT}]
    with pytest.raises(ConfigError, match="narrower than that"):
        Station(_config(tmp_path, cameras)).open()

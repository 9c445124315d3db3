"""Parts that lie shifted and turned on the belt, through the whole station: judged where they lie, or rejected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from station_runs import GOES_ON, far_end, run_to_the_end

from camera.geometry.reference import learn, save
from inspection.config import StationConfig, config_digest
from inspection.config.reality import missing_here
from inspection.ejector.simulated import SimulatedBoard
from inspection.part import Evaluation, Reason, Verdict
from inspection.records.record import StoredRecord
from inspection.records.verify import verify
from inspection.simulation.account import settle
from inspection.simulation.scene import SyntheticScene
from inspection.station import Station

PARTS, SEED = 28, 3
SHIFT_PX, TURN_DEG = 14.0, 3.0
REGION = {"x": 40, "y": 30, "width": 560, "height": 420}
PLACED = {"seed": SEED, "defect_rate": 0.25, "shift_px": SHIFT_PX, "turn_deg": TURN_DEG}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The part, learned from a picture of one that lies straight."""
    file = tmp_path_factory.mktemp("recipe") / "flange.align"
    save(learn(SyntheticScene(SEED, 0.0).render(1), (136, 56, 368, 368)), file)
    return file


def _values(tmp_path: Path, port: str, **camera: Any) -> dict[str, Any]:
    return {
        "camera": {"backend": "simulated", "parts": PARTS, "speed_mm_s": 300.0, "pitch_mm": 60.0, **camera},
        "geometry": {"travel_time_s": 0.6},
        "inference": {"workers": 1},
        "ejector": {"driver": "lcus", "port": port, "heartbeat_channel": 2, "pulse_ms": 5, "window_ms": 20,
                    "board": {"channels": 2}},
        "records": {"dir": str(tmp_path / "records"), "min_free_mb": 0},
        "simulation": PLACED,
        "page": {"enabled": False},
        "api": {"enabled": False},
        "reactions": {**GOES_ON, "rejects_in_a_row_limit": 1000},
    }  # fmt: skip


def _run(tmp_path: Path, told: set[str] | None = None, **camera: Any) -> list[StoredRecord]:
    """Run all parts; the account between records and far end has been checked. told: takes the alarms at the end."""
    board = SimulatedBoard("lcus", channels=2)
    try:
        station = Station(StationConfig.model_validate(_values(tmp_path, board.port, **camera)))
        records = run_to_the_end(station)
        if told is not None:
            told.update(f"{alarm.name} {alarm.values.get('camera')}" for alarm in station.alarms.active())
        account = settle(PARTS, len(records), records, far_end(station, board))
    finally:
        board.close()
    assert account.promises_broken == []
    assert account.pulses == sum(record.verdict is Verdict.REJECT for record in records)
    assert verify(station.config.records.dir).ok
    return sorted(records, key=lambda record: record.part)


def test_parts_that_lie_askew_are_judged_as_if_they_lay_straight(tmp_path: Path, reference: Path) -> None:
    """Without align good parts are rejected for where they lie. With it no located part is misjudged, and the record
    says how each lay; what is not located for sure ends as IMAGE_QUALITY, with a pulse at the far end."""
    align = {"reference": str(reference), "max_shift_px": 45.0, "max_angle_deg": 12.0}
    blind = _run(tmp_path / "blind", region=REGION)
    seeing = _run(tmp_path / "seeing", region=REGION, align=align)

    good = [record for record in seeing if record.truth == "good" and record.reason is not Reason.LATE]
    judged = [record for record in good if record.evaluation is not Evaluation.NOT_DECIDABLE]
    overkill = [record for record in blind if record.truth == "good" and record.reason is Reason.MODEL]
    assert len(overkill) > 1
    assert len(judged) > 0.6 * len(good)
    assert not [record for record in judged if record.verdict is Verdict.REJECT]
    assert not [record for record in seeing if record.verdict is Verdict.PASS and record.truth != "good"]

    scene = SyntheticScene(SEED, PLACED["defect_rate"])
    scene_askew = SyntheticScene(SEED, PLACED["defect_rate"], shift_px=SHIFT_PX, turn_deg=TURN_DEG)
    assert np.abs(scene.render(2).astype(int) - scene_askew.render(2)).mean() > 2
    for record in judged:
        (pose,) = record.extra["align"]
        assert pose["score"] > 0.8
        assert abs(pose["angle_deg"]) < 12
    refused = [record for record in seeing if record.reason is Reason.IMAGE_QUALITY]
    assert all(record.verdict is Verdict.REJECT and record.evaluation is Evaluation.NOT_DECIDABLE for record in refused)
    assert all("part" in record.extra["failure"] for record in refused)


def test_parts_that_are_never_found_are_all_rejected(tmp_path: Path) -> None:
    """A reference of something else: nothing passes, each part with its own record, reason and pulse, and somebody is
    told that it is not found."""
    other = np.random.default_rng(0).integers(0, 256, (480, 640), dtype=np.uint8)
    file = tmp_path / "other.align"
    save(learn(cv2.GaussianBlur(other, (0, 0), 3), (200, 150, 200, 150)), file)
    told: set[str] = set()
    records = _run(tmp_path, told, region=REGION, align={"reference": str(file)})
    assert "PART_NOT_LOCATED top" in told
    assert {record.verdict for record in records} == {Verdict.REJECT}
    assert {record.reason for record in records} <= {Reason.IMAGE_QUALITY, Reason.LATE}
    assert sum(record.reason is Reason.IMAGE_QUALITY for record in records) > PARTS / 2


def test_the_reference_belongs_to_the_digest_of_the_configuration(tmp_path: Path, reference: Path) -> None:
    """The file's name stays the same and its content changes: what was judged by it can be told apart."""
    file = tmp_path / "part.align"
    file.write_bytes(reference.read_bytes())
    values = _values(tmp_path, "/dev/null", region=REGION, align={"reference": str(file)})
    before = config_digest(StationConfig.model_validate(values))
    save(learn(SyntheticScene(SEED, 0.0).render(2), (136, 56, 368, 368)), file)
    assert config_digest(StationConfig.model_validate(values)) != before


def test_what_cannot_be_used_is_told_before_the_line_starts(tmp_path: Path, reference: Path) -> None:
    """An absent file, pictures of another size, align without a region, and with [free_run]."""
    absent = StationConfig.model_validate(
        _values(tmp_path, "/dev/null", region=REGION, align={"reference": "none.align"})
    )
    assert any("camera 'top': none.align: cannot be read" in one for one in missing_here(absent))
    small = tmp_path / "small.align"
    save(learn(SyntheticScene(SEED, 0.0).render(1)[:400, :600], (136, 30, 368, 368)), small)
    other = StationConfig.model_validate(
        _values(
            tmp_path,
            "/dev/null",
            region={"x": 100, "y": 30, "width": 400, "height": 300},
            align={"reference": str(small)},
        )
    )
    assert any("its pictures are 640×480" in one and "600×400" in one for one in missing_here(other))
    with pytest.raises(ValueError, match="has align, but no region"):
        StationConfig.model_validate(_values(tmp_path, "/dev/null", align={"reference": str(reference)}))

"""Pictures that get too poor to judge while the line runs: rejected, told, and over when the camera sees well again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from station_runs import GOES_ON, far_end, wait_until
from tiny_bundle import write_tiny_bundle

from camera.figures import measure
from inspection.config import StationConfig
from inspection.ejector.simulated import SimulatedBoard
from inspection.part import Evaluation, Reason, Verdict
from inspection.quality.learn import learn
from inspection.records.reader import RecordReader
from inspection.records.record import StoredRecord
from inspection.records.verify import verify
from inspection.simulation.account import settle
from inspection.simulation.scene import SyntheticScene
from inspection.station import Station

SEED = 10_000
PACE_S = 0.03  # a PLC asks for a picture so often; longer than a pulse and its window


@pytest.fixture(scope="module")
def scene() -> SyntheticScene:
    """Good parts alone."""
    return SyntheticScene(SEED, 0.0)


@pytest.fixture(scope="module")
def limits(scene: SyntheticScene) -> dict[str, Any]:
    """What [quality] says after it was learned from parts that do not come in the tests."""
    return learn([measure(scene.render(part)) for part in range(1001, 1101)]).values


@pytest.fixture
def board() -> Iterator[SimulatedBoard]:
    """The relay board at the far end of a pty; it outlives the station."""
    far_end = SimulatedBoard("lcus", channels=2)
    yield far_end
    far_end.close()


def _config(tmp_path: Path, port: str, quality: dict[str, Any], **camera: Any) -> StationConfig:
    bundle = write_tiny_bundle(tmp_path / "tiny")  # bright parts are bad; none of the scene's is bright
    return StationConfig.model_validate(
        {
            "camera": {"backend": "simulated", "trigger": "software", "speed_mm_s": 1000.0, **camera},
            "quality": quality,
            "model": {"bundle": str(bundle)},
            "geometry": {"travel_time_s": 0.5},
            "ejector": {"driver": "lcus", "port": port, "heartbeat_channel": 2, "pulse_ms": 5, "window_ms": 20,
                        "board": {"channels": 2}},
            "records": {"dir": str(tmp_path / "records"), "min_free_mb": 0},
            "page": {"enabled": False}, "api": {"enabled": False},
            "reactions": GOES_ON,
        }
    )  # fmt: skip


def _trigger(station: Station, parts: int) -> None:
    for _ in range(parts):
        station.trigger_once()
        threading.Event().wait(PACE_S)


def _standing(station: Station) -> dict[str, Any]:
    return {alarm.name: alarm for alarm in station.alarms.active()}


def _records(station: Station, run: str) -> list[StoredRecord]:
    return RecordReader(station.config.records.dir).find(run=run, limit=10_000, newest_first=False)


def test_fault_image_quality(
    tmp_path: Path, board: SimulatedBoard, scene: SyntheticScene, limits: dict[str, Any]
) -> None:
    """A camera that goes out of focus in mid-run: each blurred part is IMAGE_QUALITY and rejected at the far end of the
    serial line, its figures are in its record, the operator is told why, and no more when the focus is back."""
    good, blurred, again = range(1, 13), range(13, 25), range(25, 37)
    station = Station(_config(tmp_path, board.port, limits, poor_from=13, poor_to=24, defocus_px=3.0))
    station.scene = scene
    station.open()
    try:
        station.start_line()
        _trigger(station, len(good))
        assert "IMAGE_QUALITY" not in _standing(station)
        _trigger(station, len(blurred))
        wait_until(lambda: "IMAGE_QUALITY" in _standing(station))
        told = _standing(station)["IMAGE_QUALITY"].values
        _trigger(station, len(again))
        wait_until(lambda: "IMAGE_QUALITY" not in _standing(station))
        wait_until(lambda: station.counters.records >= 36)
        run = station.memory.run
    finally:
        station.close()
    records = {record.part: record for record in _records(station, run)}
    assert sorted(records) == [*good, *blurred, *again]
    for part in blurred:
        record = records[part]
        assert (record.evaluation, record.verdict) == (Evaluation.NOT_DECIDABLE, Verdict.REJECT)
        assert record.reason is Reason.IMAGE_QUALITY
        [figures] = record.extra["quality"]
        assert "focus_min" in figures["outside"]
        assert figures["focus"] < limits["focus_min"]
    for part in [*good, *again]:
        assert records[part].reason in (Reason.NONE, Reason.LATE)
        assert all(not story["outside"] for story in records[part].extra.get("quality", ()))
    assert told["why"] == "BLURRED"
    assert told["camera"] == "top"
    account = settle(36, len(records), list(records.values()), far_end(station, board))
    assert account.promises_broken == []
    assert account.pulses >= len(blurred)
    assert verify(station.config.records.dir).ok


def test_fault_image_drift(
    tmp_path: Path, board: SimulatedBoard, scene: SyntheticScene, limits: dict[str, Any]
) -> None:
    """A lamp that has lost a sixth of its light: parts still pass, and somebody is told before they do not."""
    usual = {"brightness": limits["usual"]["brightness"]}
    quality = {"brightness_min": 0.62 * usual["brightness"], "usual": usual, "drift_share": 0.25}
    station = Station(_config(tmp_path, board.port, quality, poor_from=1, poor_to=70, dim_stops=0.25))
    station.scene = scene
    station.open()
    try:
        station.start_line()
        _trigger(station, 70)
        wait_until(lambda: "IMAGE_DRIFT" in _standing(station))
        told = _standing(station)["IMAGE_DRIFT"].values
        assert "IMAGE_QUALITY" not in _standing(station)
        _trigger(station, 70)
        wait_until(lambda: "IMAGE_DRIFT" not in _standing(station))
        run = station.memory.run
    finally:
        station.close()
    assert told["why"] == "TOO_DARK"
    assert 25 <= int(told["percent"]) < 100
    assert all(record.reason is not Reason.IMAGE_QUALITY for record in _records(station, run))

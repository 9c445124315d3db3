"""A station whose ejector times by itself: the firmware at the far end tells of each part, and rejects by default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from station_runs import GOES_ON, run_to_the_end, wait_until

from inspection.config import StationConfig
from inspection.ejector.controller.simulated import SimulatedControllerEjector
from inspection.part import EjectorAction, Verdict
from inspection.records.reader import RecordReader
from inspection.station import Station

PARTS = 24


def _config(folder: Path, **changes: Any) -> StationConfig:
    values: dict[str, Any] = {
        "camera": {
            "backend": "simulated", "speed_mm_s": 600.0, "pitch_mm": 120.0, "jitter_mm": 3.0, "parts": PARTS,
            "window_ms": 80.0,
        },
        "geometry": {"travel_time_s": 2.0, "closest_ms": 180.0, "separation_ms": 30},
        "simulation": {"seed": 10_000, "defect_rate": 0.2},
        "ejector": {"driver": "simulated_controller", "pulse_ms": 20.0, "window_ms": 20.0, "alive_timeout_ms": 2000},
        "records": {"dir": str(folder), "min_free_mb": 0},
        "reactions": {**GOES_ON, "controller_fault": "reject_all"},
    }  # fmt: skip
    for name, section in changes.items():
        values[name] = {**values.get(name, {}), **section}
    return StationConfig.model_validate(values)


def test_each_part_that_the_controller_tells_of_gets_its_own_verdict(tmp_path: Path) -> None:
    """Triggers come from the firmware, frames from the camera: one record a part, pulses for rejects alone."""
    config = _config(tmp_path, camera={"lost_frame_rate": 0.1})
    station = Station(config)
    records = run_to_the_end(station)
    assert isinstance(station.ejector, SimulatedControllerEjector)
    assert sorted(record.part for record in records) == list(range(1, PARTS + 1))
    rejected = [record for record in records if record.verdict is Verdict.REJECT]
    assert any(record.verdict is Verdict.PASS for record in records)
    assert all(record.frame_counter in (None, record.part) for record in records)
    assert all(record.ejector_action is not EjectorAction.RELEASED for record in rejected)
    fired = [record for record in records if record.ejector_action is EjectorAction.FIRED]
    assert len(station.ejector.board.pulses()) >= len(fired) > 0


def test_the_first_parts_have_their_pictures(tmp_path: Path) -> None:
    """From the first part on, and again after the line, and with it the simulated camera's clock, has stood."""
    station = Station(_config(tmp_path, camera={"parts": 12}, reactions={"run_out_s": 0.0}))
    station.open()
    try:
        station.start_line()
        wait_until(lambda: station.tracker.counters.frames >= 4)
        station.stop_line()
        halted_behind = station.triggers
        assert halted_behind < 12
        station.start_line()
        wait_until(lambda: station.finished, 60.0)
        run = station.memory.run
    finally:
        station.close()
    records = RecordReader(tmp_path).find(run=run, limit=100, newest_first=False)
    assert [record.part for record in records] == list(range(1, 13))
    without_image = {record.part for record in records if record.frame_counter != record.part}
    assert without_image <= {halted_behind}  # which may have crossed just as the belt was halted


def test_the_sensors_of_a_controller_reach_the_operator(tmp_path: Path) -> None:
    """A part at the ejector that nobody expects, and a full bin: alarms that let nothing pass."""
    config = _config(
        tmp_path,
        camera={"parts": 100_000},
        ejector={"board": {"presence_at": "700 ms", "presence_window": "20 ms", "bin_sensor": True}},
    )
    station = Station(config)
    station.open()
    try:
        assert isinstance(station.ejector, SimulatedControllerEjector)
        station.start_line()
        station.ejector.board.plan([(0, "presence"), (0, "bin_full")])
        wait_until(lambda: {"UNKNOWN_PART", "BIN_FULL"} <= {alarm.name for alarm in station.alarms.active()})
        assert station.alarms.blocking
        station.ejector.board.plan([(0, "bin_empty")])
        wait_until(lambda: not station.ejector.health().counters["bin_full"])
    finally:
        station.close()


@pytest.mark.parametrize("what", [{"camera": {"frames": 2}}, {"ejector": {"heartbeat_channel": 2}}])
def test_what_makes_no_sense_beside_a_controller_is_refused(tmp_path: Path, what: dict[str, Any]) -> None:
    """A relay board's settings and several frames a part are named, not ignored."""
    with pytest.raises(ValueError, match="controller"):
        _config(tmp_path, **what)

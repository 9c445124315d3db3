"""A stop costs no part: the frames of parts that have triggered still arrive, and what comes after them is nobody's."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from gige import FakeProcess, network, require_aravis
from station_runs import GOES_ON, wait_until
from tiny_bundle import write_tiny_bundle

from inspection.config import StationConfig
from inspection.control import State
from inspection.part import Reason, Verdict
from inspection.records.reader import RecordReader
from inspection.records.record import StoredRecord
from inspection.station import Station

STOPS = 25
LONGEST_S = 0.09
TRAVEL_S = 0.3
FRAME_MS = 30
SIMULATED = {"backend": "simulated", "speed_mm_s": 1000, "pitch_mm": 60, "jitter_mm": 5, "readout_ms": FRAME_MS}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small real model."""
    return write_tiny_bundle(tmp_path_factory.mktemp("model") / "tiny")


def station_of(folder: Path, bundle: Path, camera: dict[str, Any] | list[dict[str, Any]], **changes: Any) -> Station:
    """A station with a simulated board behind the given cameras."""
    values: dict[str, Any] = {
        "camera": camera,
        "model": {"bundle": str(bundle)},
        "geometry": {"travel_time_s": TRAVEL_S},
        "ejector": {"heartbeat_channel": 2, "pulse_ms": 5, "window_ms": 20},
        "records": {"dir": str(folder / "records"), "min_free_mb": 0},
        "reactions": {**GOES_ON, "run_out_s": 0.0},
    }
    return Station(StationConfig.model_validate(values | changes))


def on_demand(station: Station) -> None:
    """Have one picture made."""
    wait_until(lambda: station.state is State.CONTINUOUS_EXECUTION)
    station.trigger_once()


def stopped_often(
    station: Station, trigger: Callable[[Station], None] = lambda _station: None, stops: int = STOPS
) -> list[StoredRecord]:
    """Start and stop a station at moments that lie anyhow to its parts; return every record."""
    moments = random.Random(7)
    station.open()
    try:
        run = station.memory.run
        for _ in range(stops):
            if station.finished:
                break
            seen = station.triggers
            station.start_line()
            trigger(station)
            wait_until(lambda seen=seen: station.triggers > seen or station.finished)  # type: ignore[misc]
            time.sleep(moments.uniform(0, LONGEST_S))  # the phase is what is tried
            station.stop_line()
            assert not station.tracker.in_flight
        triggers = station.triggers
    finally:
        station.close()
    records = RecordReader(station.config.records.dir).find(run=run, limit=10_000, newest_first=False)
    assert [record.part for record in records] == list(range(1, triggers + 1))
    return records


def blind(records: list[StoredRecord]) -> list[int]:
    """Return the parts of which a picture is missing; a busy machine may judge others too late."""
    return [record.part for record in records if record.reason in (Reason.NO_IMAGE, Reason.MISSING_VIEW)]


def test_no_part_of_a_simulated_camera_is_without_a_picture(tmp_path: Path, bundle: Path) -> None:
    """A part whose frame takes 30 ms is inspected though the line was stopped meanwhile, and the next start as well."""
    assert blind(stopped_often(station_of(tmp_path, bundle, SIMULATED))) == []


def test_no_part_of_a_second_camera_is_without_its_picture(tmp_path: Path, bundle: Path) -> None:
    """Parts that are between the two cameras when the line is stopped still get their second view."""
    cameras = [{"name": "top", **SIMULATED}, {"name": "side", "position_mm": 40.0, "window_ms": 20.0, **SIMULATED}]
    geometry = {"camera_to_ejector_mm": 400.0, "belt_speed_mm_s": 1000.0, "closest_ms": 50.0}
    assert blind(stopped_often(station_of(tmp_path, bundle, cameras, geometry=geometry))) == []


@pytest.mark.parametrize("rate_hz", [40.0, 0.0])
def test_each_picture_of_a_replay_is_inspected_once(tmp_path: Path, bundle: Path, rate_hz: float) -> None:
    """However often it is stopped, and whether the pictures follow a clock or the host, none is skipped."""
    pictures, count = tmp_path / "pictures", 400
    pictures.mkdir()
    for number in range(count):
        cv2.imwrite(str(pictures / f"{number:04d}.png"), np.full((48, 64), 20 + number % 200, np.uint8))
    station = station_of(tmp_path, bundle, {"backend": "replay", "path": str(pictures), "rate_hz": rate_hz})
    records = stopped_often(station)
    assert blind(records) == []
    assert all(record.frame_counter == record.part for record in records)
    assert STOPS <= len(records) <= count


def test_no_picture_that_software_asked_for_is_lost(tmp_path: Path, bundle: Path) -> None:
    """A picture of a GigE Vision camera that is being exposed when the line is stopped arrives and is judged."""
    require_aravis()
    with network(), FakeProcess("STOP1"):
        camera = {
            "backend": "aravis", "device": "127.0.0.1", "trigger": "software", "exposure_us": 60_000.0,
            "trigger_answer_s": 2.0,
        }  # fmt: skip
        station = station_of(tmp_path, bundle, camera, geometry={"travel_time_s": 1.0})
        assert blind(stopped_often(station, on_demand, stops=10)) == []


def test_no_picture_of_a_wired_trigger_is_cut_off(tmp_path: Path, bundle: Path) -> None:
    """Nobody tells of a trigger but its frame: the device ends with the picture that it makes, which is judged."""
    require_aravis()
    with network(), FakeProcess("STOP2") as fake:
        camera = {"backend": "aravis", "device": "127.0.0.1", "trigger": "line", "exposure_us": 60_000.0}
        station = station_of(tmp_path, bundle, camera, geometry={"travel_time_s": 1.0})
        exposed: list[str] = []

        def pass_by(_station: Station) -> None:
            """Let one part be seen, and another one come to the eye just before the stop."""
            wait_until(lambda: fake.say("trigger") == "exposed")
            wait_until(lambda: not station.tracker.in_flight and station.triggers == len(exposed) + 1)
            exposed.extend([fake.say("trigger")] * 2)

        records = stopped_often(station, pass_by, stops=8)
        assert set(exposed) == {"exposed"}
        assert [record.frame_counter for record in records] == list(range(1, len(exposed) + 1))
        assert blind(records) == []


def test_a_frame_that_never_comes_still_rejects_its_part(tmp_path: Path, bundle: Path) -> None:
    """The stop waits for it until the part is at the ejector, not longer, and lets nothing pass that nobody saw."""
    station = station_of(tmp_path, bundle, {**SIMULATED, "lost_frame_rate": 1.0})
    records = stopped_often(station, stops=4)
    assert records
    assert {(record.verdict, record.reason) for record in records} == {(Verdict.REJECT, Reason.NO_IMAGE)}


def test_an_abort_waits_for_no_frame(tmp_path: Path, bundle: Path) -> None:
    """What is on its way is rejected, and the cameras stand long before its frame would have come."""
    slow = {**SIMULATED, "pitch_mm": 10_000, "jitter_mm": 0, "readout_ms": 9_000}
    station = station_of(tmp_path, bundle, {**slow, "speed_mm_s": 20_000}, geometry={"travel_time_s": 1.0})
    station.open()
    try:
        station.start_line()
        wait_until(lambda: station.triggers > 0)
        began_s = time.monotonic()
        station.abort()
        assert time.monotonic() - began_s < 5.0
        run = station.memory.run
    finally:
        station.close()
    records = RecordReader(station.config.records.dir).find(run=run, limit=100)
    assert records
    assert {record.verdict for record in records} == {Verdict.REJECT}

"""A real GigE Vision camera that comes after the station, and one whose settings are changed behind its back."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest
from gige import FakeProcess, network, require_aravis
from station_runs import GOES_ON, wait_until

from camera.errors import CameraOpenError, Cause
from inspection.camera_history import CameraState
from inspection.camera_upkeep import CameraUpkeep
from inspection.config import StationConfig
from inspection.control import State, StateError
from inspection.ejector.controller.simulated import SimulatedControllerEjector
from inspection.part import Evaluation, Reason, Verdict
from inspection.records.reader import RecordReader
from inspection.records.record import StoredRecord
from inspection.simulation.scene import SyntheticScene
from inspection.station import Station

SERIAL = "CHANGED"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """One good part, which the camera shows at each trigger."""
    folder = tmp_path / "parts"
    folder.mkdir()
    assert cv2.imwrite(str(folder / "1.png"), cv2.cvtColor(SyntheticScene(10_000, 0.0).render(1), cv2.COLOR_RGB2BGR))
    return folder


@pytest.fixture(autouse=True)
def _own_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A network of its own, and looks at the settings at a quicker pace than a line needs."""
    require_aravis()
    monkeypatch.setattr(CameraUpkeep, "LOOK_S", 0.2)
    monkeypatch.setattr(CameraUpkeep, "AGAIN_S", 0.1)
    with network():
        yield


def _plug_in(pictures: Path) -> FakeProcess:
    return FakeProcess(SERIAL, "--images", str(pictures), "--size", "640x480")


def _station(tmp_path: Path, **camera: Any) -> Station:
    values: dict[str, Any] = {
        "camera": {
            "name": "top", "backend": "aravis", "device": SERIAL, "trigger": "line", "pixel_format": "RGB8",
            "exposure_us": 2000, "window_ms": 60.0, "arrival_ms": 500.0, **camera,
        },
        "geometry": {"travel_time_s": 1.5, "closest_ms": 125.0, "separation_ms": 0},
        "ejector": {"driver": "simulated_controller", "pulse_ms": 20.0, "window_ms": 20.0, "alive_timeout_ms": 5000},
        "records": {"dir": str(tmp_path / "records"), "min_free_mb": 0},
        "reactions": {**GOES_ON, "controller_fault": "reject_all", "camera_gone": "reject_all",
                      "camera_changed": "reject_all"},
    }  # fmt: skip
    return Station(StationConfig.model_validate(values))


def _part(station: Station, camera: FakeProcess) -> int:
    """Let one part cross the photo-eye and leave; return its number."""
    assert isinstance(station.ejector, SimulatedControllerEjector)
    before = station.triggers
    station.ejector.board.trigger()
    assert camera.say("trigger") == "exposed"
    wait_until(lambda: station.triggers > before)
    wait_until(lambda: not station.tracker.in_flight)
    return station.triggers


def _sound_part(station: Station, camera: FakeProcess) -> int:
    """Let parts cross until one passes: the camera without hardware may expose late just after it was started."""
    for _ in range(5):
        part = _part(station, camera)
        station.memory.flush(5.0)
        if _records(station, station.memory.run)[part].verdict is Verdict.PASS:
            return part
    raise AssertionError(f"no part passes: {_alarms(station)}")


def _alarms(station: Station) -> dict[str, Any]:
    return {alarm.name: dict(alarm.values) for alarm in station.alarms.active()}


def _records(station: Station, run: str) -> dict[int, StoredRecord]:
    found = RecordReader(station.config.records.dir).find(run=run, limit=1000, newest_first=False)
    return {record.part: record for record in found}


def test_settings_changed_behind_the_station_let_nothing_pass(tmp_path: Path, pictures: Path) -> None:
    """An exposure that is no longer the recipe's: the alarm says what and since which part, good parts are rejected.

    Once the line stands the exposure is written again, and the next part passes; each record names its settings.
    """
    with _plug_in(pictures) as camera:
        station = _station(tmp_path)
        station.open()
        try:
            station.start_line()
            sound = _sound_part(station, camera)
            assert "CAMERA_CHANGED" not in _alarms(station)

            assert camera.say("expose 9000") == "exposes for 9000 µs"
            wait_until(lambda: "CAMERA_CHANGED" in _alarms(station))
            told = _alarms(station)["CAMERA_CHANGED"]
            assert told["detail"] == "top: ExposureTime = 2000.0: the device has 9000 now"
            assert 1 <= int(told["first"]) <= sound + 1  # no look need have come between that part and the change
            assert station.state is State.ERROR
            meanwhile = _part(station, camera)

            station.stop_line()
            wait_until(lambda: station.state is State.READY)
            assert "CAMERA_CHANGED" not in _alarms(station)
            station.start_line()
            again = _sound_part(station, camera)
            run = station.memory.run
        finally:
            station.close()
    records = _records(station, run)
    assert [records[part].verdict for part in (sound, meanwhile, again)] == [Verdict.PASS, Verdict.REJECT, Verdict.PASS]
    assert (records[meanwhile].evaluation, records[meanwhile].reason) == (Evaluation.OK, Reason.SYSTEM)
    _check_kept_settings(station, records)


def _check_kept_settings(station: Station, records: dict[int, StoredRecord]) -> None:
    """The file that a record names by its digest says which exposure its camera had."""
    (digest,) = {record.extra["camera_settings"] for record in records.values()}
    (file,) = (station.config.records.dir / "camera-settings").iterdir()
    assert file.stem == hashlib.sha256(file.read_bytes()).hexdigest()
    assert file.stem.startswith(digest)
    settings = {one["feature"]: one for one in json.loads(file.read_text())["top"]}
    assert settings["ExposureTime"] == {"feature": "ExposureTime", "wanted": 2000.0, "read_back": 2000.0}


def test_a_camera_that_comes_after_the_station_is_taken_up(tmp_path: Path, pictures: Path) -> None:
    """A PC boots faster than a camera: the station is there, says what is absent, does not start, and then does."""
    station = _station(tmp_path)
    station.open()
    try:
        assert station.state is State.ERROR
        assert _alarms(station)["CAMERA_LOST"]["why"] == "CAMERA_ABSENT"
        (report,) = station.camera_reports()
        assert (report.state, report.cause) == (CameraState.LOST, "absent")
        with pytest.raises(StateError, match="CAMERA_LOST"):
            station.start_line()
        with _plug_in(pictures) as camera:
            wait_until(lambda: station.state is State.READY)
            station.start_line()
            part = _sound_part(station, camera)
            run = station.memory.run
            station.stop_line()
    finally:
        station.close()
    record = _records(station, run)[part]
    assert record.verdict is Verdict.PASS
    assert record.extra["camera_settings"]


def test_regions_are_held_against_a_camera_that_comes_later(tmp_path: Path, pictures: Path) -> None:
    """A region that its pictures do not hold keeps the line from starting, with the reason, as it would have before."""
    station = _station(tmp_path, region={"x": 0, "y": 0, "width": 800, "height": 480})
    station.open()
    try:
        with _plug_in(pictures):
            wait_until(lambda: _alarms(station)["CAMERA_LOST"]["why"] == "CAMERA_REFUSED")
            assert "its pictures are 640×480" in _alarms(station)["CAMERA_LOST"]["detail"]
            assert station.state is State.ERROR
    finally:
        station.close()


def test_a_camera_that_comes_back_with_another_picture_size_lets_nothing_pass(tmp_path: Path, pictures: Path) -> None:
    """After its power failed the sensor's region is another: no part of it is judged until it is as it was."""
    camera = _plug_in(pictures)
    station = _station(tmp_path)
    station.open()
    try:
        station.start_line()
        _sound_part(station, camera)
        camera.end()
        with FakeProcess(SERIAL, "--images", str(pictures), "--size", "320x240"):
            wait_until(lambda: _alarms(station).get("CAMERA_LOST", {}).get("why") == "CAMERA_REFUSED", 60.0)
            assert "320×240 now — they were 640×480" in _alarms(station)["CAMERA_LOST"]["detail"]
            assert isinstance(station.ejector, SimulatedControllerEjector)
            before = station.triggers
            station.ejector.board.trigger()
            wait_until(lambda: station.triggers > before and not station.tracker.in_flight)
            station.memory.flush(5.0)
            assert _records(station, station.memory.run)[before + 1].reason is Reason.NO_IMAGE
        with _plug_in(pictures) as camera:
            wait_until(lambda: "CAMERA_LOST" not in _alarms(station), 60.0)
            _sound_part(station, camera)
    finally:
        station.close()
        camera.end()


def test_a_setting_that_the_camera_refuses_ends_the_start(tmp_path: Path, pictures: Path) -> None:
    """It would be refused the next time, too: somebody has to change the file."""
    with _plug_in(pictures):
        station = _station(tmp_path, reverse_x=True)
        with pytest.raises(CameraOpenError, match="ReverseX") as caught:
            station.open()
        assert caught.value.cause is Cause.REFUSED
        station.close()
    assert not [thread for thread in threading.enumerate() if thread.name in ("camera-upkeep", "supervisor")]


@pytest.mark.parametrize("look_s", [0.2, 3600.0])
def test_a_camera_that_goes_while_the_line_stands_is_taken_up_again(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch, look_s: float
) -> None:
    """Nothing grabs from it then: a look at its settings tells, or else the start, which is refused with the reason."""
    monkeypatch.setattr(CameraUpkeep, "LOOK_S", look_s)
    with _plug_in(pictures):
        station = _station(tmp_path)
        station.open()
    try:
        if look_s < 1:
            wait_until(lambda: station.state is State.ERROR)
        with pytest.raises(StateError, match=r"CAMERA_LOST|camera 'top'"):
            station.start_line()
        wait_until(lambda: station.state is State.ERROR)
        assert station.camera_reports()[0].state is CameraState.LOST
        assert "camera 'top'" in _alarms(station)["CAMERA_LOST"]["detail"]
        with _plug_in(pictures) as camera:
            wait_until(lambda: station.state is State.READY)
            station.start_line()
            _sound_part(station, camera)
            station.stop_line()
    finally:
        station.close()

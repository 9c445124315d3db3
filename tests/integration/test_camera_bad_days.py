"""A real GigE Vision camera and its bad days: each part that triggers has its record, and the far end rejected it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest
from gige import FakeProcess, network, require_aravis
from station_runs import GOES_ON, wait_until

from camera.aravis.camera import AravisCamera, Options
from camera.own_process.camera import IsolatedCamera
from inspection.config import StationConfig
from inspection.ejector.controller.simulated import SimulatedControllerEjector
from inspection.part import Evaluation, Reason, Verdict
from inspection.records.reader import RecordReader
from inspection.records.record import StoredRecord
from inspection.simulation.scene import SyntheticScene
from inspection.station import Station

SERIAL = "BADDAY"
PARTS_EACH = 6
SPACING_S = 0.25


def _config(folder: Path) -> StationConfig:
    values: dict[str, Any] = {
        "camera": {
            "name": "top", "backend": "aravis", "device": SERIAL, "trigger": "line", "pixel_format": "RGB8",
            "window_ms": 100.0, "arrival_ms": 500.0, "watchdog_s": 4.0, "frame_retention_ms": 250.0, "resend": False,
        },
        "geometry": {"travel_time_s": 1.5, "closest_ms": 210.0, "separation_ms": 0},
        "ejector": {"driver": "simulated_controller", "pulse_ms": 20.0, "window_ms": 20.0, "alive_timeout_ms": 5000},
        "records": {"dir": str(folder), "min_free_mb": 0},
        "reactions": {**GOES_ON, "controller_fault": "reject_all", "camera_gone": "reject_all"},
    }  # fmt: skip
    return StationConfig.model_validate(values)


class Day:
    """The station, its camera and its belt; what each hour saw, by its name."""

    def __init__(self, folder: Path) -> None:
        self._pictures = folder / "parts"
        self._pictures.mkdir()
        scene = SyntheticScene(10_000, 0.0)
        for part in range(1, 5):
            assert cv2.imwrite(str(self._pictures / f"{part}.png"), cv2.cvtColor(scene.render(part), cv2.COLOR_RGB2BGR))
        height, width = scene.render(1).shape[:2]
        self._size = f"{width}x{height}"
        self.camera = self.plug_in()
        self.station = Station(_config(folder / "records"))
        self.station.open()
        self.parts: dict[str, list[int]] = defaultdict(list)
        self.alarms: dict[str, dict[str, str]] = {}
        self.records: dict[int, StoredRecord] = {}
        self.pulses = 0

    def plug_in(self) -> FakeProcess:
        self.camera = FakeProcess(SERIAL, "--images", str(self._pictures), "--size", self._size)
        return self.camera

    @property
    def board(self) -> SimulatedControllerEjector:
        assert isinstance(self.station.ejector, SimulatedControllerEjector)
        return self.station.ejector

    def belt(self, hour: str, *, sees: bool = True, parts: int = PARTS_EACH) -> None:
        """Let parts cross the photo-eye, which is wired to the controller and, where it is there, to the camera."""
        spacing = threading.Event()
        for _ in range(parts):
            began_host_ns = time.monotonic_ns()
            self.board.board.trigger(began_host_ns)
            if sees:
                assert self.camera.say("trigger") == "exposed"
            before = sum(map(len, self.parts.values()))
            wait_until(lambda before=before: self.station.triggers > before)  # type: ignore[misc]
            self.parts[hour].append(self.station.triggers)
            spacing.wait(max(0.0, SPACING_S - (time.monotonic_ns() - began_host_ns) * 1e-9))
        wait_until(lambda: not self.station.tracker.in_flight)  # what happens next concerns the next parts

    def wait_alarm(self, name: str, standing: bool = True) -> dict[str, str]:
        def stands() -> bool:
            return (name in {alarm.name for alarm in self.station.alarms.active()}) == standing

        wait_until(stands, 40.0)
        return {key: value for alarm in self.station.alarms.active() if alarm.name == name
                for key, value in alarm.values.items()}  # fmt: skip

    def wait_back(self) -> None:
        """Wait until the camera works again and nothing holds the parts."""
        self.wait_alarm("CAMERA_LOST", standing=False)

    def end(self) -> None:
        wait_until(lambda: not self.station.tracker.in_flight)
        run = self.station.memory.run
        self.station.stop_line()
        self.reports = self.station.camera_reports()
        self.pulses = len(self.board.board.pulses())
        self.station.close()
        found = RecordReader(self.station.config.records.dir).find(run=run, limit=10_000, newest_first=False)
        self.records = {record.part: record for record in found}

    def of(self, hour: str) -> list[StoredRecord]:
        return [self.records[part] for part in self.parts[hour]]


def _driver(day: Day) -> IsolatedCamera:
    camera = day.station.lines[0].camera
    assert isinstance(camera, IsolatedCamera)
    return camera


def _live(day: Day) -> None:
    """One day after the other; what is left to say about each is read from the records at the end."""
    day.station.start_line()
    day.belt("sound")

    day.camera.signal(signal.SIGKILL)  # its power fails
    day.belt("dark", sees=False)
    day.alarms["dark"] = day.wait_alarm("CAMERA_LOST")
    day.belt("still dark", sees=False)
    day.plug_in()
    day.wait_back()
    day.belt("again")

    victim = _driver(day).process_id
    assert victim is not None
    os.kill(victim, signal.SIGKILL)  # the driver crashes
    day.alarms["crash"] = day.wait_alarm("CAMERA_LOST")
    day.wait_back()
    day.belt("after the crash")

    victim = _driver(day).process_id
    assert victim is not None
    os.kill(victim, signal.SIGSTOP)  # the driver hangs
    day.alarms["hang"] = day.wait_alarm("CAMERA_LOST")
    day.wait_back()
    day.belt("after the hang")

    day.camera.end()  # while it is away another program takes it
    day.wait_alarm("CAMERA_LOST")
    day.plug_in()
    _held(day)
    day.wait_back()
    day.belt("after the other program")

    day.camera.say("lose 4")
    losing_until = time.monotonic() + 30.0
    while "CAMERA_LINK_POOR" not in day.alarms and time.monotonic() < losing_until:
        day.belt("losing packets", parts=4)
        standing = {alarm.name: dict(alarm.values) for alarm in day.station.alarms.active()}
        if "CAMERA_LINK_POOR" in standing:
            day.alarms["CAMERA_LINK_POOR"] = standing["CAMERA_LINK_POOR"]
    day.camera.say("lose 0")
    day.belt("at the end")


def _held(day: Day) -> None:
    other = AravisCamera("other", Options(device=SERIAL, own_process=False))
    opened: list[AravisCamera] = []

    def take() -> bool:
        try:
            other.open()
        except Exception:  # noqa: BLE001 - it is still starting, or the station was faster
            return False
        opened.append(other)
        return True

    wait_until(take, 20.0)
    wait_until(lambda: day.wait_alarm("CAMERA_LOST").get("why") == "CAMERA_HELD", 30.0)
    day.alarms["held"] = day.wait_alarm("CAMERA_LOST")
    other.close()


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    require_aravis()
    with network():
        lived = Day(tmp_path_factory.mktemp("day"))
        try:
            _live(lived)
            lived.end()
            yield lived
        finally:
            lived.station.close()
            lived.camera.end()


def _all(records: list[StoredRecord], holds: Callable[[StoredRecord], bool]) -> bool:
    return len(records) > 0 and all(map(holds, records))


def test_each_trigger_of_the_day_has_its_record_and_each_reject_its_pulse(day: Day) -> None:
    """Whatever happened to the camera: no part without a record, and the far end saw every reject."""
    triggered = [part for hour in day.parts.values() for part in hour]
    assert sorted(day.records) == sorted(triggered) == list(range(1, len(triggered) + 1))
    rejected = [record for record in day.records.values() if record.verdict is Verdict.REJECT]
    assert day.pulses >= len(rejected) > 0


def test_good_parts_pass_while_the_camera_works(day: Day) -> None:
    """Before, and after each of the bad days, whatever has a picture is OK and passes.

    The camera exposes when its process gets the processor: on a busy machine a few exposures lie too far from their
    part, and are rightly none of it.
    """
    for hour in ("sound", "again", "after the crash", "after the hang", "after the other program", "at the end"):
        seen = [record for record in day.of(hour) if record.reason is not Reason.NO_IMAGE]
        assert len(seen) >= PARTS_EACH / 2, hour
        assert all(record.evaluation is Evaluation.OK for record in seen), hour
        assert any(record.verdict is Verdict.PASS for record in seen), hour


def test_a_camera_that_was_killed_in_mid_stream_rejects_every_part_meanwhile(day: Day) -> None:
    """No picture, no pass: the reason says so, and the alarm names what to do."""
    meanwhile = day.of("dark") + day.of("still dark")
    assert _all(meanwhile, lambda record: record.verdict is Verdict.REJECT)
    assert _all(meanwhile, lambda record: record.reason in (Reason.NO_IMAGE, Reason.LATE))
    assert day.alarms["dark"]["why"] in ("CAMERA_CONTROL_LOST", "CAMERA_ABSENT")


def test_a_driver_that_crashes_or_hangs_takes_nothing_down(day: Day) -> None:
    """Its process is begun anew, and the alarm says which of the two it was."""
    assert day.alarms["crash"]["why"] == "CAMERA_CRASHED"
    assert day.alarms["hang"]["why"] == "CAMERA_HUNG"


def test_another_program_that_holds_the_camera_is_named_as_such(day: Day) -> None:
    """A cable is not what is wrong; when the program lets go, the station takes the camera back."""
    assert day.alarms["held"]["why"] == "CAMERA_HELD"


def test_packets_that_are_lost_reject_their_parts_and_somebody_is_told(day: Day) -> None:
    """A picture with a hole is none: no part passes by it, and a link that loses packets is told of."""
    records = day.of("losing packets")
    broken = [record for record in records if record.reason is Reason.NO_IMAGE]
    assert broken
    assert all(record.verdict is Verdict.REJECT for record in broken)
    assert all(record.evaluation is Evaluation.OK for record in records if record.verdict is Verdict.PASS)
    assert "missing packets" in day.alarms["CAMERA_LINK_POOR"]["detail"]


def test_the_status_tells_what_the_camera_has_been_through(day: Day) -> None:
    """Each loss by its cause, and how fast it came back."""
    (report,) = day.reports
    assert report.counters["reopened"] == 4
    assert report.counters["lost_crashed"] == report.counters["lost_hung"] == 1
    assert report.counters["broken_frames"] > 0
    assert report.last_recovery_ms is not None

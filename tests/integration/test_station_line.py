"""The whole station from the replay camera to the bytes on the serial line, and what happens when something breaks."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from station_runs import GOES_ON, far_end, run_to_the_end, wait_until
from tiny_bundle import write_tiny_bundle

from inspection.config import StationConfig
from inspection.control import State, StateError
from inspection.ejector.simulated import SimulatedBoard
from inspection.part import EjectorAction, Reason, Verdict
from inspection.records.reader import RecordReader
from inspection.records.verify import verify
from inspection.simulation.account import settle
from inspection.station import Station

BRIGHT, DARK = 230, 20


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small real model to which bright parts are defective."""
    return write_tiny_bundle(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture
def board() -> Iterator[SimulatedBoard]:
    """The relay board at the far end of a pty; it outlives the station."""
    far_end = SimulatedBoard("lcus", channels=2)
    yield far_end
    far_end.close()


def write_parts(folder: Path, count: int) -> None:
    """Write `count` pictures into class folders, every third one bright, which is defective; a list keeps the order."""
    files = []
    for number in range(count):
        kind = "bad" if number % 3 == 0 else "good"
        (folder / kind).mkdir(parents=True, exist_ok=True)
        file = folder / kind / f"{number:04d}.png"
        cv2.imwrite(str(file), np.full((48, 64), BRIGHT if kind == "bad" else DARK, np.uint8))
        files.append(str(file))
    (folder / "parts.txt").write_text("\n".join(files))


def config(tmp_path: Path, bundle: Path, port: str, **changes: Any) -> StationConfig:
    """A station that replays the parts of `tmp_path/parts` and drives the relay board on `port`."""
    values: dict[str, Any] = {
        "camera": {
            "backend": "replay", "path": str(tmp_path / "parts" / "parts.txt"), "truth_from_folder": True,
            "rate_hz": 40,
        },
        "model": {"bundle": str(bundle)},
        "geometry": {"travel_time_s": 0.4},
        "ejector": {"driver": "lcus", "port": port, "heartbeat_channel": 2, "pulse_ms": 5, "window_ms": 20,
                    "board": {"channels": 2}},
        "records": {"dir": str(tmp_path / "records"), "min_free_mb": 0},
        "reactions": {**GOES_ON, "ejector_port_gone": "reject_all"},
    }  # fmt: skip
    for name, section in changes.items():
        values[name] = {**values[name], **section}
    return StationConfig.model_validate(values)


def test_each_pulse_belongs_to_a_reject_and_each_reject_has_its_pulse(
    tmp_path: Path, bundle: Path, board: SimulatedBoard
) -> None:
    """Sixty parts, twenty defective: the far end of the serial line saw exactly the rejected ones, in their windows."""
    write_parts(tmp_path / "parts", 60)
    station = Station(config(tmp_path, bundle, board.port))
    records = run_to_the_end(station)
    account = settle(60, len(records), records, far_end(station, board))
    assert account.promises_broken == []
    good_but_late = sum(record.reason is Reason.LATE and record.truth == "good" for record in records)
    assert (account.escaped, account.overkill) == (0, good_but_late)
    assert account.records == 60
    assert account.rejected == account.pulses == 20 + good_but_late
    assert verify(station.config.records.dir).ok
    for record in records:
        told = record.ejector_command or Verdict.REJECT  # told nothing, it rejects
        fired_before_it_heard = record.by_default  # a PASS that came when the reject was on its way
        is_taken_along = record.ejector_action is EjectorAction.TAKEN_ALONG
        assert told == record.verdict or fired_before_it_heard or is_taken_along
        assert record.thresholds_hash
        assert record.provider
        if record.score is not None:
            [(size, place)] = [batch for batch in record.batches if batch is not None]
            assert 0 <= place < size
    assert not board.level(1)
    assert not board.level(2)
    assert any(edge.on for edge in board.edges(2))


def test_a_frame_that_cannot_be_read_is_a_rejected_part(tmp_path: Path, bundle: Path, board: SimulatedBoard) -> None:
    """A truncated picture in the middle: one part without image, rejected; the parts around it keep their verdicts."""
    write_parts(tmp_path / "parts", 12)
    (tmp_path / "parts" / "good" / "0004.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    station = Station(config(tmp_path, bundle, board.port))
    records = run_to_the_end(station)
    without_image = [record for record in records if record.reason is Reason.NO_IMAGE]
    assert len(records) == 12
    assert len(without_image) == 1
    account = settle(12, 12, records, far_end(station, board))
    assert account.promises_broken == []
    assert account.escaped == 0


def test_parts_that_cannot_be_judged_in_time_are_rejected(tmp_path: Path, bundle: Path, board: SimulatedBoard) -> None:
    """The verdict must be known 395 ms before the pulse, 5 ms after the trigger: what is not in time is LATE,
    nothing passes unscored, and every pulse is at its part."""
    write_parts(tmp_path / "parts", 40)
    station = Station(config(tmp_path, bundle, board.port, geometry={"travel_time_s": 0.4, "margin_ms": 390}))
    records = run_to_the_end(station)
    account = settle(40, 40, records, far_end(station, board))
    assert account.promises_broken == []
    assert account.escaped == 0
    for record in records:
        if record.by_default or record.reason is Reason.LATE:
            assert record.verdict is Verdict.REJECT


def test_the_station_is_in_error_while_the_port_is_gone(tmp_path: Path, bundle: Path, board: SimulatedBoard) -> None:
    """Cable pulled: ERROR with the port's name, parts FAILED or rejected, nothing passes; plugged in: it runs again."""
    write_parts(tmp_path / "parts", 30)
    station = Station(config(tmp_path, bundle, board.port, camera={"loop": True}))
    station.open()
    try:
        station.start_line()
        wait_until(lambda: station.counters.records > 5)
        board.unplug()
        wait_until(lambda: station.state is State.ERROR)
        alarm = next(alarm for alarm in station.alarms.active() if alarm.name == "EJECTOR_LOST")
        assert alarm.values["port"] == board.port
        passed, records = station.counters.passed, station.counters.records
        wait_until(lambda: station.counters.records > records + 40)
        in_flight_at_loss = 40
        assert station.counters.passed <= passed + in_flight_at_loss
        late_records = RecordReader(station.config.records.dir).find(run=station.memory.run, limit=10)
        assert all(record.verdict is Verdict.REJECT for record in late_records)
        assert any(record.ejector_action is EjectorAction.FAILED for record in late_records)
        board.replug()
        wait_until(lambda: station.state is State.CONTINUOUS_EXECUTION)
        passed = station.counters.passed
        wait_until(lambda: station.counters.passed > passed + 5)
    finally:
        station.close()
    assert verify(station.config.records.dir).ok


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_nothing_passes_while_records_cannot_be_written(tmp_path: Path, bundle: Path, board: SimulatedBoard) -> None:
    """The disk fills up in full run: ERROR, every part rejected; space again: everything is recorded and it goes on."""
    write_parts(tmp_path / "parts", 30)
    place = tmp_path / "records"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(place)], check=True)
    try:
        station = Station(config(tmp_path, bundle, board.port, camera={"loop": True}))
        station.open()
        try:
            station.start_line()
            wait_until(lambda: station.counters.records > 5)
            with (place / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
                while filler.write(b"\0" * 4096):
                    pass
            wait_until(lambda: station.state is State.ERROR, 60.0)
            decided = station.tracker.counters.system_rejects
            wait_until(lambda: station.tracker.counters.system_rejects > decided + 10)
            (place / "filler").unlink()
            wait_until(lambda: station.state is State.CONTINUOUS_EXECUTION, 60.0)
            passed = station.counters.passed
            wait_until(lambda: station.counters.passed > passed + 5)
            station.stop_line()
            run = station.memory.run
        finally:
            station.close()
        reader = RecordReader(place)
        records = reader.find(run=run, limit=100_000, newest_first=False)
        reader.close()
        assert sorted(record.part for record in records) == list(range(1, station.triggers + 1))
        assert {record.verdict for record in records if record.reason is Reason.SYSTEM} == {Verdict.REJECT}
        assert verify(place).ok
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_commands_follow_the_state(tmp_path: Path, bundle: Path, board: SimulatedBoard) -> None:
    """Start and stop are safe to repeat; numbers go on after a stop; a halted station takes no command."""
    write_parts(tmp_path / "parts", 10)
    station = Station(config(tmp_path, bundle, board.port, camera={"loop": True}))
    station.open()
    assert station.state is State.READY
    station.stop_line()
    station.start_line()
    station.start_line()
    assert station.state is State.CONTINUOUS_EXECUTION
    wait_until(lambda: station.counters.records > 3)
    station.stop_line()
    assert station.state is State.READY
    assert station.tracker.in_flight == 0
    before = station.triggers
    station.start_line()
    wait_until(lambda: station.triggers > before)
    station.close()
    station.close()
    assert station.state is State.HALTED
    with pytest.raises(StateError, match="HALTED"):
        station.start_line()


def test_after_a_stop_every_trigger_has_been_counted(tmp_path: Path, bundle: Path, board: SimulatedBoard) -> None:
    """Stop returns when the last record is durable: the figures that are shown then are the final ones."""
    write_parts(tmp_path / "parts", 10)
    station = Station(config(tmp_path, bundle, board.port, camera={"loop": True}))
    station.open()
    try:
        for _ in range(3):
            before = station.counters.records
            station.start_line()
            wait_until(lambda before=before: station.counters.records > before + 3)
            station.stop_line()
            status = station.status()
            assert status.records == status.triggers
            assert status.parts_per_minute == 0.0
    finally:
        station.close()


def test_a_region_that_does_not_fit_is_an_alarm_with_its_remedy(
    tmp_path: Path, bundle: Path, board: SimulatedBoard
) -> None:
    """Pictures smaller than the first: each is rejected, and the operator is told why; so says the record, too."""
    write_parts(tmp_path / "parts", 4)
    assert cv2.imwrite(str(tmp_path / "parts" / "bad" / "0000.png"), np.full((480, 1240), BRIGHT, np.uint8))
    values = config(tmp_path, bundle, board.port).model_dump(mode="json", by_alias=True)
    values["region"] = {"x": 600, "width": 640, "height": 480}
    station = Station(StationConfig.model_validate(values))
    station.open()
    try:
        station.start_line()
        wait_until(lambda: station.finished)
        alarm = next(alarm for alarm in station.alarms.active() if alarm.name == "FRAME_UNUSABLE")
        assert "reaches out of a 64×48 frame" in alarm.values["detail"]
    finally:
        station.close()
    reader = RecordReader(station.config.records.dir)
    records = reader.find(limit=10)
    reader.close()
    assert {record.reason for record in records if record.part > 1} <= {Reason.SYSTEM, Reason.LATE}
    assert next(record for record in records if record.part == 1).reason in (Reason.MODEL, Reason.LATE)
    assert any("reaches out" in record.extra.get("failure", "") for record in records)


def test_parts_closer_than_the_pulse_are_an_alarm(tmp_path: Path, bundle: Path, board: SimulatedBoard) -> None:
    """A pulse that lasts into the next part may take a good neighbour along: somebody is told."""
    write_parts(tmp_path / "parts", 4)
    station = Station(config(tmp_path, bundle, board.port, ejector={"pulse_ms": 100}))
    station.open()
    try:
        station.start_line()
        wait_until(lambda: any(alarm.name == "PARTS_TOO_CLOSE" for alarm in station.alarms.active()))
    finally:
        station.close()


def test_inspection_apart_from_the_line(tmp_path: Path, bundle: Path, board: SimulatedBoard) -> None:
    """One image in, verdict out: no part, no record, no pulse."""
    write_parts(tmp_path / "parts", 3)
    station = Station(config(tmp_path, bundle, board.port))
    station.open()
    try:
        assert station.inspect(np.full((48, 64), BRIGHT, np.uint8), 5.0).verdict is Verdict.REJECT
        assert station.inspect(np.full((48, 64), DARK, np.uint8), 5.0).verdict is Verdict.PASS
        assert station.triggers == 0
    finally:
        station.close()
    assert board.pulses(1) == []


KILLED = """
import sys
from pathlib import Path
sys.path[:0] = {paths!r}
from test_station_line import config
from inspection.station import Station
station = Station(config(Path({tmp!r}), Path({bundle!r}), {port!r}, camera={{"loop": True}}))
station.open()
station.memory.subscribe(lambda records: print(len(records), flush=True))
station.start_line()
import threading
threading.Event().wait()
"""


def test_a_killed_station_rejects_what_is_in_flight_and_loses_no_record(
    tmp_path: Path, bundle: Path, board: SimulatedBoard
) -> None:
    """kill -9 in full run: the heartbeat stops, armed rejects still fire, all channels end off; what was shown is still
    recorded, and at the next start every part that was in flight has a record."""
    write_parts(tmp_path / "parts", 30)
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "support")]
    code = KILLED.format(paths=paths, tmp=str(tmp_path), bundle=str(bundle), port=board.port)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    shown = 0
    while shown < 25:
        shown += int(process.stdout.readline())
    os.kill(process.pid, signal.SIGKILL)
    shown += sum(int(line) for line in process.stdout.read().split())
    killed_host_ns = time.monotonic_ns()
    process.wait(10)
    wait_until(lambda: not board.level(1) and not board.level(2) and _silent(board))
    reader = RecordReader(tmp_path / "records")
    run = reader.find(limit=1)[0].run
    assert len(reader.find(run=run, limit=10_000)) >= shown
    reader.close()

    station = Station(config(tmp_path, bundle, board.port))
    station.open()
    recovered = station.memory.recovered
    station.close()
    records = RecordReader(tmp_path / "records").find(run=run, limit=10_000, newest_first=False)
    assert recovered > 0
    assert sorted(record.part for record in records) == list(range(1, len(records) + 1))
    assert verify(tmp_path / "records").ok
    unfinished = [record for record in records if record.ejector_action is EjectorAction.UNCONFIRMED]
    assert len(unfinished) == recovered
    assert {(record.verdict, record.reason) for record in unfinished} == {(Verdict.REJECT, Reason.SYSTEM)}
    fired_after_the_kill = [pulse for pulse in board.pulses(1) if pulse.on_host_ns > killed_host_ns]
    assert fired_after_the_kill


def _silent(board: SimulatedBoard) -> bool:
    """No command for longer than the travel time: the ejector's process has fired what was armed, and ended."""
    edges = board.edges()
    return bool(edges) and time.monotonic_ns() - edges[-1].host_ns > 700_000_000

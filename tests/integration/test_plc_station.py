"""A whole station with its PLC: what the PLC counted is what the records say, and silence is seen from both ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from plc_peers import BOUND_S, Plc, Told
from pymodbus.exceptions import ModbusException
from station_runs import GOES_ON, wait_until
from tiny_bundle import write_tiny_bundle

from inspection.config import StationConfig
from inspection.control import State
from inspection.part import Reason, Verdict
from inspection.plc.map import FAULT_CODES, Command, Control, InputRegister, ResultCode, Status, result_code
from inspection.records.reader import RecordReader
from inspection.station import Station

PARTS = 40
BUFFERED = Control.TRIGGER_ENABLE | Control.BUFFER_RESULTS_ENABLE


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small real model."""
    return write_tiny_bundle(tmp_path_factory.mktemp("model") / "tiny")


def config(tmp_path: Path, bundle: Path, **plc: Any) -> StationConfig:
    """A simulated line of forty parts, some of which lose their picture."""
    return StationConfig.model_validate(
        {
            "camera": {"backend": "simulated", "parts": PARTS, "lost_frame_rate": 0.2, "speed_mm_s": 1200, "seed": 5},
            "model": {"bundle": str(bundle), "threshold": 0.02},
            "geometry": {"travel_time_s": 0.5},
            "ejector": {"driver": "simulated", "heartbeat_channel": 2},
            "records": {"dir": str(tmp_path / "records"), "min_free_mb": 0},
            "reactions": GOES_ON,
            "api": {"enabled": False},
            "plc": {"enabled": True, "address": "127.0.0.1:0", "plc_timeout_ms": 60_000, **plc},
        }
    )


def test_the_plc_counts_what_the_records_say(tmp_path: Path, bundle: Path) -> None:
    """The PLC starts the line; each of forty parts comes to it exactly once, with the record's verdict and reason."""
    station = Station(config(tmp_path, bundle, inspect_window_ms=600_000))
    station.open()
    try:
        assert station.plc is not None
        plc = Plc.tcp(station.plc.bound)
        plc.wait(Status.PLC_SILENT, False)
        plc.write(BUFFERED | Control.EXECUTE_COMMAND, Command.START_LINE)
        plc.wait(Status.ONLINE | Status.COMMAND_COMPLETE)
        plc.write(BUFFERED)
        told = [plc.take_result() for _ in range(PARTS)]
        wait_until(lambda: station.finished)
        last = plc.read()
        counters = station.status().counters
        run = station.memory.run
        plc.close()
    finally:
        station.close()
    records = RecordReader(tmp_path / "records").find(run=run, limit=1000, newest_first=False)
    stored = sorted(records, key=lambda record: record.sequence)
    assert [one.part for one in told] == [record.part for record in stored]
    assert sorted(one.part for one in told) == list(range(1, PARTS + 1))
    by_part = {record.part: record for record in records}
    for one in told:
        assert_agrees(one, by_part[one.part].verdict, by_part[one.part].reason)
    assert {record.reason for record in records} >= {Reason.NO_IMAGE}
    assert len({record.verdict for record in records}) == 2, "the line should pass some parts and reject others"
    assert not last.status & (Status.RESULTS_VALID | Status.INSPECTING | Status.RESULTS_BUFFER_OVERRUN)
    assert last.registers[InputRegister.ACQUISITION_ID] == PARTS
    assert counters["plc_acknowledged"] == PARTS
    assert counters["plc_results_lost"] == counters["plc_late"] == counters["plc_inbox_refused"] == 0


def assert_agrees(told: Told, verdict: Verdict, reason: Reason) -> None:
    """What the PLC was told about a part is its record; only a pass that the PLC took too late may be a Fail."""
    passed = verdict is Verdict.PASS
    assert (Status.PASS in told.status) == passed
    assert told.registers[InputRegister.RESULT_CODE] == (ResultCode.PASSED if passed else result_code(reason))


def test_a_window_shorter_than_any_verdict_rejects_everything(tmp_path: Path, bundle: Path) -> None:
    """Results that come after the window are told as LATE, whatever the records say."""
    station = Station(config(tmp_path, bundle, inspect_window_ms=0.001))
    station.open()
    try:
        assert station.plc is not None
        plc = Plc.tcp(station.plc.bound)
        plc.write(BUFFERED)
        station.start_line()
        told = [plc.take_result() for _ in range(10)]
        plc.close()
    finally:
        station.close()
    assert [one.part for one in told] == list(range(1, 11))
    assert all(Status.FAIL in one.status for one in told)
    assert {one.registers[InputRegister.RESULT_CODE] for one in told} == {ResultCode.LATE}


def test_a_silent_plc_blocks_the_station_until_it_is_back(tmp_path: Path, bundle: Path) -> None:
    """No PLC: PLC_SILENT, and the line cannot start; a PLC that beats clears it."""
    station = Station(config(tmp_path, bundle, plc_timeout_ms=1000))
    station.open()
    try:
        assert station.plc is not None
        wait_until(lambda: station.state is State.ERROR)
        assert next(alarm.name for alarm in station.alarms.active()) == "PLC_SILENT"
        plc = Plc.tcp(station.plc.bound)
        wait_until(lambda: plc.read().registers[InputRegister.FAULT_CODE] == FAULT_CODES["PLC_SILENT"])
        told = plc.read().status & (Status.ONLINE | Status.READY | Status.PLC_SILENT | Status.FAULT)
        assert told == Status.PLC_SILENT | Status.FAULT
        plc.wait(Status.FAULT | Status.PLC_SILENT, False)
        assert station.state is State.READY
        plc.close()
    finally:
        station.close()


def test_a_silent_plc_may_be_a_warning(tmp_path: Path, bundle: Path) -> None:
    """`silence = "warn"`: the operator reads PLC_QUIET, and the line can start."""
    station = Station(config(tmp_path, bundle, plc_timeout_ms=200, silence="warn"))
    station.open()
    try:
        wait_until(lambda: "PLC_QUIET" in [alarm.name for alarm in station.alarms.active()])
        station.start_line()
        assert station.state is State.CONTINUOUS_EXECUTION
    finally:
        station.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


FILE = """
[camera]
backend = "simulated"
[model]
bundle = {bundle}
[geometry]
travel_time_s = 0.5
[ejector]
driver = "simulated"
heartbeat_channel = 2
[records]
dir = {records}
min_free_mb = 0
[api]
enabled = false
[plc]
enabled = true
address = "127.0.0.1:{port}"
plc_timeout_ms = 60000
"""


def test_the_plc_sees_a_killed_station(tmp_path: Path, bundle: Path) -> None:
    """kill -9 of `lineward run` in full run: the heartbeat had counted, and then the connection ends."""
    port = free_port()
    file = tmp_path / "line.toml"
    records = json.dumps(str(tmp_path / "records"))
    file.write_text(FILE.format(bundle=json.dumps(str(bundle)), records=records, port=port), encoding="utf-8")
    command = [sys.executable, "-m", "inspection.cli.main", "run", str(file), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline()  # the station is up
            plc = Plc.tcp(f"127.0.0.1:{port}")
            plc.write(BUFFERED)
            plc.take_result()
            before = plc.wait(Status.ONLINE | Status.READY).registers[InputRegister.HEARTBEAT]
            wait_until(lambda: plc.read().registers[InputRegister.HEARTBEAT] not in (before, before + 1))
            with socket.create_connection(("127.0.0.1", port), timeout=BOUND_S) as connection:
                os.kill(process.pid, signal.SIGKILL)
                with contextlib.suppress(ConnectionResetError):
                    assert connection.recv(1) == b""
            with pytest.raises((ModbusException, OSError)):
                plc.read()
            process.wait(BOUND_S)  # the kernel closes a dying process's connections before its listener
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), timeout=BOUND_S)
            plc.close()
        finally:
            process.kill()

"""A PLC, or a program over the API, triggers the camera of a real `lineward run`: each trigger is a part, or missed."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from plc_peers import Plc, Told
from real_run import RealRun, promises_broken, read_records, relay_board, station_values, toml
from tiny_bundle import write_tiny_bundle

from inspection.api.errors import CallError
from inspection.ejector.simulated import SimulatedBoard
from inspection.part import EjectorAction, Reason, Verdict
from inspection.plc.map import Command, Control, InputRegister, ResultCode, Status, result_code

PARTS = 6
LOST = 4
BUFFERED = Control.TRIGGER_ENABLE | Control.BUFFER_RESULTS_ENABLE


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small real model to which bright parts are defective."""
    return write_tiny_bundle(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture
def board() -> Iterator[SimulatedBoard]:
    """The far end of the ejector's serial line."""
    with relay_board() as far_end:
        yield far_end


def pictures(folder: Path) -> Path:
    """Dark and bright parts by turns; one file is no picture."""
    folder.mkdir()
    for part in range(1, PARTS + 1):
        file = folder / f"part_{part:02}.png"
        if part == LOST:
            file.write_bytes(b"no picture")
        else:
            assert cv2.imwrite(str(file), np.full((48, 64, 3), 20 if part % 2 else 230, np.uint8))
    return folder


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def values(folder: Path, bundle: Path, board: SimulatedBoard, camera: dict[str, Any], port: int) -> dict[str, Any]:
    plc = {"enabled": True, "address": f"127.0.0.1:{port}", "plc_timeout_ms": 60_000, "inspect_window_ms": 600_000}
    return station_values(folder, bundle, board, camera=camera, plc=plc)


def trigger(plc: Plc) -> Told:
    """Trigger as the map says: wait for Ready, raise the bit, wait for the answer, clear the bit."""
    plc.wait(Status.READY)
    plc.write(BUFFERED | Control.TRIGGER)
    plc.wait(Status.BUSY, False)
    told = plc.read()
    plc.write(BUFFERED)
    return told


def test_each_trigger_of_the_plc_is_one_part(tmp_path: Path, bundle: Path, board: SimulatedBoard) -> None:
    """TriggerAck comes with the AcquisitionId of that very part; its result, its record and the pulse at the far end of
    the serial line agree; a part whose picture is lost is a Fail with NO_IMAGE; when no picture is left, and while the
    line is stopped, the Trigger is missed."""
    port = free_port()
    camera = {"backend": "replay", "path": pictures(tmp_path / "images"), "trigger": "software"}
    with RealRun(tmp_path, values(tmp_path, bundle, board, camera, port), start=False) as run:
        run.wait_state("READY")
        plc = Plc.tcp(f"127.0.0.1:{port}")
        plc.wait(Status.PLC_SILENT, False)
        plc.write(BUFFERED | Control.TRIGGER)
        assert plc.wait(Status.MISSED_ACQ).registers[InputRegister.ACQUISITION_ID] == 0
        plc.write(BUFFERED | Control.EXECUTE_COMMAND, Command.START_LINE)
        plc.wait(Status.ONLINE | Status.COMMAND_COMPLETE)
        plc.write(BUFFERED)
        results = []
        for part in range(1, PARTS + 1):
            told = trigger(plc)
            assert told.status & (Status.TRIGGER_ACK | Status.MISSED_ACQ | Status.INSPECTING) == (
                Status.TRIGGER_ACK | Status.INSPECTING
            )
            assert told.registers[InputRegister.ACQUISITION_ID] == part
            if part % 3 == 0:  # three are on their way at a time
                results += [plc.take_result() for _ in range(3)]
        missed = trigger(plc)
        assert missed.status & (Status.TRIGGER_ACK | Status.MISSED_ACQ) == Status.MISSED_ACQ
        assert missed.registers[InputRegister.TRIGGERS_MISSED] == 2
        plc.close()
        assert run.end() == 0
    records = read_records(tmp_path / "records")
    assert sorted(record.part for record in records) == list(range(1, PARTS + 1))
    assert sorted(one.part for one in results) == list(range(1, PARTS + 1))
    assert promises_broken(PARTS, records, board) == []
    code_of = {one.part: one.registers[InputRegister.RESULT_CODE] for one in results}
    for record in records:
        passed = record.verdict is Verdict.PASS
        assert code_of[record.part] == (ResultCode.PASSED if passed else result_code(record.reason))
        if record.part == LOST:
            assert record.reason is Reason.NO_IMAGE
        else:
            assert record.device_ns == record.trigger_host_ns, "the picture is of the moment of the trigger"
            was_good, was_close = record.part % 2 == 1, record.ejector_action is EjectorAction.TAKEN_ALONG
            by_default = record.reason in (Reason.LATE, Reason.SYSTEM)  # a machine that is too busy rejects good parts
            assert passed == was_good or (was_good and (by_default or was_close)), record


def test_a_program_triggers_over_the_api(tmp_path: Path, bundle: Path, board: SimulatedBoard) -> None:
    """TriggerCamera answers with the part that is recorded; a stopped line refuses it with its state."""
    camera = {"backend": "simulated", "trigger": "software"}
    with RealRun(tmp_path, station_values(tmp_path, bundle, board, camera=camera), start=False) as run:
        with run.client() as client:
            run.wait_state("READY")
            with pytest.raises(CallError, match="state READY") as refused:
                client.trigger_once()
            assert refused.value.reason == "STATE"
            client.start_line()
            assert [client.trigger_once() for _ in range(3)] == [1, 2, 3]
            run.wait(lambda status: status["records"] == 3)
            client.stop_line()
            client.start_line()
            assert client.trigger_once() == 4
        assert run.end() == 0
    records = read_records(tmp_path / "records")
    assert sorted(record.part for record in records) == [1, 2, 3, 4]
    assert promises_broken(4, records, board) == []


def test_a_camera_with_a_photo_eye_misses_every_trigger(tmp_path: Path, bundle: Path, board: SimulatedBoard) -> None:
    """The PLC reads MissedAcq, a program the reason TRIGGER, and `config check` has said so before."""
    port = free_port()
    camera = {"backend": "simulated"}
    wanted = values(tmp_path, bundle, board, camera, port)
    with RealRun(tmp_path, wanted) as run, run.client() as client:
        plc = Plc.tcp(f"127.0.0.1:{port}")
        plc.wait(Status.READY)
        missed = trigger(plc)
        assert missed.status & (Status.TRIGGER_ACK | Status.MISSED_ACQ) == Status.MISSED_ACQ
        with pytest.raises(CallError, match="takes no trigger from software") as refused:
            client.trigger_once()
        assert refused.value.reason == "TRIGGER"
        plc.close()
    said = check(tmp_path / "station.toml")
    assert any("answered with MissedAcq: camera 'top'" in sentence for sentence in said["advice"])
    file = tmp_path / "other.toml"
    file.write_text(toml({**wanted, "camera": {**camera, "trigger": "software"}}))
    assert not any("MissedAcq" in sentence for sentence in check(file)["advice"])


def check(file: Path) -> dict[str, Any]:
    """Return what `lineward config check --json` says."""
    command = [sys.executable, "-m", "inspection.cli.main", "config", "check", str(file), "--json"]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return dict(json.loads(said.stdout))

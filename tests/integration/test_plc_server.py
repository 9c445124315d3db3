"""The PLC's port against real peers: pymodbus and mbpoll, over TCP and over a serial line of two ptys."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from api_station import REJECTED, Records
from plc_peers import BOUND_S, Mbpoll, Plc, SerialCable
from pymodbus.client import ModbusSerialClient, ModbusTcpClient
from pymodbus.pdu.diag_message import ReturnQueryDataRequest
from station_runs import wait_until

from inspection.control import State, StateError
from inspection.plc.errors import PlcOpenError
from inspection.plc.map import Command, Control, InputRegister, ResultCode, Status
from inspection.plc.options import PlcOptions
from inspection.plc.plc import PlcPort
from inspection.plc.server import Pace

BUFFERED = Control.TRIGGER_ENABLE | Control.BUFFER_RESULTS_ENABLE


class Bench:
    """A station on the bench: real records, a state that the test sets, and a sign of life every 50 ms."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.records = Records(folder)
        self.state = State.CONTINUOUS_EXECUTION
        self.asked: list[str] = []
        self.silences: list[str] = []
        self.failures: list[str] = []
        self.camera_takes_triggers = False
        self.port = PlcPort(
            PlcOptions.model_validate({"enabled": True, "address": "127.0.0.1:0", "plc_timeout_ms": 60_000, **options}),
            self,
            travel_s=600.0,
            classes=("good", "scratch"),
            bundle_digest="1234abcd" * 8,
            on_silence=self.silences.append,
            on_failure=self.failures.append,
        )
        self.records.writer.on_durable(self.port.on_results)
        self._over = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)

    def _supervise(self) -> None:
        while not self._over.wait(0.05):
            self.port.on_state(self.state, ())

    def open(self) -> str:
        bound = self.port.open()
        self._supervisor.start()
        return bound

    def close(self) -> None:
        self._over.set()
        self.port.close()
        self.records.close()
        assert self.failures == []

    def part(self, *decision: Any) -> int:
        """Let one part trigger and become durable; return its number."""
        number = self.records.parts + 1
        self.port.on_trigger(number, time.monotonic_ns())
        self.records.add(1, *decision)
        return number

    def start_line(self) -> None:
        self.asked.append("start")
        if self.state is State.ERROR:
            raise StateError("not in ERROR")

    def stop_line(self) -> None:
        self.asked.append("stop")

    def confirm(self) -> None:
        self.asked.append("confirm")

    def trigger(self) -> bool:
        self.asked.append("trigger")
        return self.camera_takes_triggers


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Makes benches, and takes them down."""
    made: list[Bench] = []

    def make(**options: Any) -> Bench:
        made.append(Bench(tmp_path / f"records-{len(made)}", **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def mbpoll_here() -> None:
    """The independent client is installed (scripts/system-packages)."""
    if shutil.which("mbpoll") is None:
        message = "mbpoll is not installed: the station is not read by an independent client"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)


@pytest.fixture
def cable() -> Iterator[SerialCable]:
    """A serial line without hardware."""
    line = SerialCable()
    yield line
    line.close()


def serial_plc(port: str, unit: int) -> Plc:
    client = ModbusSerialClient(port, baudrate=19200, parity="N", timeout=BOUND_S, retries=0)
    assert client.connect()
    return Plc(client, unit)


def take_three(station: Bench, plc: Plc) -> None:
    """Three parts, the second rejected: each is told once, whole, in order."""
    plc.wait(Status.ONLINE | Status.READY)
    parts = [station.part(), station.part(REJECTED), station.part()]
    told = [plc.take_result() for _ in parts]
    assert [one.part for one in told] == parts
    assert [Status.PASS in one.status for one in told] == [True, False, True]
    assert [one.registers[InputRegister.RESULT_CODE] for one in told] == [
        ResultCode.PASSED,
        ResultCode.MODEL,
        ResultCode.PASSED,
    ]
    assert [one.registers[InputRegister.SCORE_PER_MILLE] for one in told] == [100, 900, 100]
    assert [one.registers[InputRegister.DEFECT_CLASS] for one in told] == [0, 2, 0]
    assert told[0].registers[InputRegister.BUNDLE_HIGH : InputRegister.MAP_VERSION] == [0x1234, 0xABCD]
    assert not plc.read().part
    plc.close()


def test_results_over_tcp(bench: Callable[..., Bench]) -> None:
    """pymodbus as the PLC, over TCP."""
    station = bench()
    take_three(station, Plc.tcp(station.open()))
    assert station.port.counters()["plc_acknowledged"] == 3


def test_results_over_a_serial_line(bench: Callable[..., Bench], cable: SerialCable) -> None:
    """pymodbus as the PLC, over RTU."""
    station = bench(transport="rtu", port=cable.near, parity="N", unit_id=9)
    station.open()
    take_three(station, serial_plc(cable.far, 9))


def mbpoll_takes_one(station: Bench, plc: Mbpoll) -> None:
    """The same by libmodbus: bits and registers agree, writes by coil and by register are one and the same."""
    plc.write("holding", 0, int(BUFFERED), 0, 1)
    assert plc.read("coils", 0, 5) == [1, 0, 0, 1, 0]
    assert plc.read("holding", 0, 3) == [int(BUFFERED), 0, 1]
    part = station.part(REJECTED)
    wait_until(lambda: plc.read("discrete", 7, 1) == [1])
    registers = plc.read("input", 0, len(InputRegister))
    bits = plc.read("discrete", 0, 16)
    assert registers[0] == sum(bit << place for place, bit in enumerate(bits))
    assert Status.FAIL | Status.RESULTS_VALID in Status(registers[0])
    assert registers[InputRegister.PART_LOW] == part
    plc.write("coils", 2, 1)
    assert plc.read("discrete", 7, 4) == [0, 0, 0, 0]
    assert plc.read("holding", 0, 1) == [int(BUFFERED | Control.RESULTS_ACK)]
    plc.write("coils", 2, 0)
    assert station.port.counters()["plc_acknowledged"] == 1
    assert "Illegal data address" in plc.refusal("input", 0, len(InputRegister) + 1)


@pytest.mark.usefixtures("mbpoll_here")
def test_mbpoll_over_tcp(bench: Callable[..., Bench]) -> None:
    """An independent client over TCP."""
    station = bench()
    mbpoll_takes_one(station, Mbpoll.tcp(station.open()))


@pytest.mark.usefixtures("mbpoll_here")
def test_mbpoll_over_a_serial_line(bench: Callable[..., Bench], cable: SerialCable) -> None:
    """An independent client over RTU; a request for another station of the line is left without an answer."""
    station = bench(transport="rtu", port=cable.near, parity="N", unit_id=9)
    station.open()
    assert "timed out" in Mbpoll.rtu(cable.far, 8).refusal("input", 0, 2)
    mbpoll_takes_one(station, Mbpoll.rtu(cable.far, 9))


def test_a_result_counts_as_read_only_when_it_was_told(bench: Callable[..., Bench]) -> None:
    """Reading other bits and registers, then acknowledging, retires nothing."""
    station = bench()
    plc = Plc.tcp(station.open())
    plc.wait(Status.READY)
    part = station.part()
    client = plc._client
    wait_until(lambda: client.read_input_registers(InputRegister.RESULTS_WAITING).registers == [1])
    assert client.read_discrete_inputs(8, count=8).bits[1]  # Pass, without ResultsValid
    plc.write(BUFFERED | Control.RESULTS_ACK)
    plc.write(BUFFERED)
    assert plc.take_result().part == part
    assert station.port.counters()["plc_stray_acks"] == 1
    plc.close()


def test_what_the_map_lacks_is_refused_and_harms_nobody(bench: Callable[..., Bench]) -> None:
    """Addresses, functions and bytes that are none of the map: an exception or silence, and the next request works."""
    station = bench()
    bound = station.open()
    host, _, port = bound.rpartition(":")
    plc = Plc.tcp(bound)
    client = plc._client
    assert isinstance(client, ModbusTcpClient)
    assert client.read_coils(10, count=10).exception_code == 2
    assert client.write_registers(2, [1, 2]).exception_code == 2
    assert client.read_holding_registers(40_000).exception_code == 2
    assert client.execute(False, ReturnQueryDataRequest()).exception_code == 1
    with socket.create_connection((host, int(port))) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n" * 200)
        plc.wait(Status.READY)
    take_three(station, plc)


def test_a_client_too_many_ends_the_idlest(bench: Callable[..., Bench]) -> None:
    """Connections of a PLC that died cannot keep a new one out."""
    station = bench(max_clients=2)
    bound = station.open()
    host, _, port = bound.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=BOUND_S) as idle:
        first = Plc.tcp(bound)
        first.wait(Status.READY)
        second = Plc.tcp(bound)
        second.wait(Status.READY)
        assert idle.recv(1) == b""
        first.wait(Status.READY)
    first.close()
    second.close()


def test_a_client_that_hammers_is_held_up(bench: Callable[..., Bench]) -> None:
    """No more requests are answered than the pace allows: 300 take at least the time that 240 need."""
    station = bench()
    plc = Plc.tcp(station.open())
    begun = time.monotonic()
    for _ in range(300):
        plc.read()
    assert time.monotonic() - begun >= (300 - Pace.BURST - 10) / Pace.REQUESTS_PER_S
    plc.close()


def test_a_plc_that_dies_is_noticed_and_so_is_its_return(bench: Callable[..., Bench]) -> None:
    """The connection ends in the middle of a result: the station is told once, shows nothing, and goes on with it."""
    station = bench(plc_timeout_ms=300)
    bound = station.open()
    plc = Plc.tcp(bound)
    plc.wait(Status.READY)
    part = station.part(REJECTED)
    plc.wait(Status.RESULTS_VALID)
    plc.close()
    wait_until(lambda: bool(station.silences) and bool(station.silences[-1]))
    assert "no new heartbeat for 300 ms" in station.silences[-1]
    watcher = Plc.tcp(bound)
    status = watcher.read().status
    assert Status.PLC_SILENT in status
    assert not status & (Status.READY | Status.RESULTS_VALID | Status.PASS | Status.FAIL)
    assert watcher.take_result().part == part
    wait_until(lambda: "" in station.silences)
    watcher.close()


@pytest.mark.parametrize("taken", [True, False])
def test_a_trigger_reaches_the_camera(bench: Callable[..., Bench], taken: bool) -> None:
    """TriggerAck when the camera takes it, MissedAcq when it takes none from software."""
    station = bench()
    station.camera_takes_triggers = taken
    plc = Plc.tcp(station.open())
    plc.wait(Status.READY)
    plc.write(BUFFERED | Control.TRIGGER)
    plc.wait(Status.TRIGGER_ACK if taken else Status.MISSED_ACQ)
    plc.write(BUFFERED)
    plc.wait(Status.READY)
    assert station.asked == ["trigger"]
    plc.close()


def run_command(plc: Plc, command: int) -> Status:
    """Carry out a command as the map says; return how it ended."""
    plc.write(BUFFERED | Control.EXECUTE_COMMAND, command)
    both = Status.COMMAND_COMPLETE | Status.COMMAND_FAILED
    wait_until(lambda: bool(plc.read().status & both))
    ended = plc.read().status & both
    plc.write(BUFFERED)
    plc.wait(both, False)
    return ended


def test_commands_reach_the_line(bench: Callable[..., Bench]) -> None:
    """Start, stop and confirm are carried out; what the station refuses, or the map lacks, fails."""
    station = bench()
    plc = Plc.tcp(station.open())
    plc.wait(Status.READY)
    assert run_command(plc, Command.STOP_LINE) == Status.COMMAND_COMPLETE
    assert run_command(plc, Command.START_LINE) == Status.COMMAND_COMPLETE
    assert run_command(plc, Command.CONFIRM_ALARMS) == Status.COMMAND_COMPLETE
    assert run_command(plc, 4711) == Status.COMMAND_FAILED
    station.state = State.ERROR
    assert run_command(plc, Command.START_LINE) == Status.COMMAND_FAILED
    assert station.asked == ["stop", "start", "confirm", "start"]
    plc.close()


def test_a_plc_without_commands_cannot_move_the_line(bench: Callable[..., Bench]) -> None:
    """`commands = false`: start and stop fail without reaching the station; confirming is allowed."""
    station = bench(commands=False)
    plc = Plc.tcp(station.open())
    plc.wait(Status.READY)
    assert run_command(plc, Command.STOP_LINE) == Status.COMMAND_FAILED
    assert run_command(plc, Command.CONFIRM_ALARMS) == Status.COMMAND_COMPLETE
    assert station.asked == ["confirm"]
    plc.close()


def test_a_taken_address_is_refused(bench: Callable[..., Bench]) -> None:
    """Two stations cannot share one port; the error names the setting."""
    bound = bench().open()
    with pytest.raises(PlcOpenError, match=f"plc.address {bound}: cannot be listened on"):
        bench(address=bound).port.open()


@pytest.mark.parametrize(("port", "parity"), [("/dev/none-such", "N"), ("pty", "E")])
def test_a_serial_port_that_will_not_do_is_refused(
    bench: Callable[..., Bench], cable: SerialCable, port: str, parity: str
) -> None:
    """A port that is not there, and one that does not know the parity (a pty)."""
    with pytest.raises(PlcOpenError, match=r"plc\.port .*: cannot be opened"):
        bench(transport="rtu", port=cable.near if port == "pty" else port, parity=parity).port.open()


def test_a_serial_line_that_was_pulled_comes_back(bench: Callable[..., Bench], tmp_path: Path) -> None:
    """The adapter is unplugged and plugged in again under its name: the station answers again by itself."""
    name = tmp_path / "by-id"
    first, second = SerialCable(), SerialCable()
    name.symlink_to(first.near)
    station = bench(transport="rtu", port=str(name), parity="N", unit_id=9)
    station.open()
    plc = serial_plc(first.far, 9)
    plc.wait(Status.READY)
    plc.close()
    name.unlink()
    first.close()
    name.symlink_to(second.near)
    wait_until(lambda: station.port.counters()["plc_reopened"] == 1)
    take_three(station, serial_plc(second.far, 9))
    second.close()


def test_a_closed_port_ends_its_connections(bench: Callable[..., Bench]) -> None:
    """When the station goes down the PLC sees the connection end."""
    station = bench()
    host, _, port = station.open().rpartition(":")
    with socket.create_connection((host, int(port)), timeout=BOUND_S) as connection:
        plc = Plc.tcp(f"{host}:{port}")
        plc.wait(Status.READY)
        plc.close()
        station.port.close()
        assert connection.recv(1) == b""
    with contextlib.suppress(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=BOUND_S).close()
        pytest.fail("the port is still open")
    assert not [thread.name for thread in threading.enumerate() if thread.name == "plc"]

"""The far ends of the PLC handshake in tests: a PLC program on pymodbus, mbpoll, and a serial cable of two ptys."""

from __future__ import annotations

import contextlib
import os
import re
import select
import subprocess
import threading
import time
import tty
from dataclasses import dataclass

from pymodbus.client import ModbusTcpClient
from pymodbus.client.base import ModbusBaseSyncClient

from inspection.plc.map import Control, HoldingRegister, InputRegister, Status

BOUND_S = 30.0


@dataclass(frozen=True, slots=True)
class Told:
    """What the PLC read in one request."""

    status: Status
    registers: list[int]

    @property
    def part(self) -> int:
        return self.registers[InputRegister.PART_HIGH] << 16 | self.registers[InputRegister.PART_LOW]


class Plc:
    """A PLC program: it beats, reads, acknowledges. It checks at each read that Pass never stands alone."""

    def __init__(self, client: ModbusBaseSyncClient, unit: int = 1) -> None:
        self._client = client
        self._unit = unit
        self._beat = 0
        self._control = Control.TRIGGER_ENABLE | Control.BUFFER_RESULTS_ENABLE

    @classmethod
    def tcp(cls, bound: str) -> Plc:
        """Connect to `host:port`."""
        host, _, port = bound.rpartition(":")
        client = ModbusTcpClient(host, port=int(port), timeout=BOUND_S, retries=0)
        assert client.connect()
        return cls(client)

    def write(self, control: Control | None = None, command: int = 0) -> None:
        """Write all three holding registers at once, the heartbeat counted on."""
        self._control = self._control if control is None else control
        self._beat = self._beat + 1 & 0xFFFF
        answer = self._client.write_registers(0, [int(self._control), command, self._beat], device_id=self._unit)
        assert not answer.isError(), answer

    def read(self) -> Told:
        """Read all input registers at once."""
        answer = self._client.read_input_registers(0, count=len(InputRegister), device_id=self._unit)
        assert not answer.isError(), answer
        told = Told(Status(answer.registers[0]), answer.registers)
        verdicts = told.status & (Status.PASS | Status.FAIL)
        assert (verdicts in (Status.PASS, Status.FAIL)) == (Status.RESULTS_VALID in told.status)
        assert bool(told.part) == (Status.RESULTS_VALID in told.status)
        return told

    def wait(self, bits: Status, level: bool = True) -> Told:
        """Beat and read until all these bits are set (or all clear)."""
        deadline = time.monotonic() + BOUND_S
        while True:
            self.write()
            told = self.read()
            if told.status & bits == (bits if level else Status(0)):
                return told
            assert time.monotonic() < deadline, f"{bits!r} did not become {level}: {told}"

    def take_result(self) -> Told:
        """Wait for a result, acknowledge it as the map says, and return it."""
        told = self.wait(Status.RESULTS_VALID)
        self.write(self._control | Control.RESULTS_ACK)
        self.wait(Status.RESULTS_VALID, False)
        self.write(self._control & ~Control.RESULTS_ACK)
        return told

    def close(self) -> None:
        self._client.close()


class SerialCable:
    """Two pseudo-terminals joined by a thread: `near` for the station, `far` for the PLC. `unplug` hangs up near."""

    def __init__(self) -> None:
        self._masters: list[int] = []
        self._slaves: list[int] = []
        for _ in range(2):
            master, slave = os.openpty()
            tty.setraw(slave)
            self._masters.append(master)
            self._slaves.append(slave)
        self.near, self.far = (os.ttyname(slave) for slave in self._slaves)
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._relay, daemon=True)
        self._thread.start()

    def _relay(self) -> None:
        first, second = self._masters
        other = {first: second, second: first}
        while True:
            ready, _, _ = select.select([first, second, self._wake_read], [], [])
            if self._wake_read in ready:
                return
            for one in ready:
                os.write(other[one], os.read(one, 4096))

    def close(self) -> None:
        os.write(self._wake_write, b"x")
        self._thread.join(BOUND_S)
        for one in (*self._masters, *self._slaves, self._wake_read, self._wake_write):
            with contextlib.suppress(OSError):
                os.close(one)


_READ = {"coils": "0", "discrete": "1", "input": "3:hex", "holding": "4:hex"}
_WRITE = {"coils": "0", "holding": "4"}
_LINE = re.compile(r"^\[(\d+)\]:\s+(0x[0-9A-Fa-f]+|\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Mbpoll:
    """The Debian tool mbpoll (libmodbus): where and how it reaches the station."""

    where: tuple[str, ...]

    @classmethod
    def tcp(cls, bound: str) -> Mbpoll:
        host, _, port = bound.rpartition(":")
        return cls(("-m", "tcp", "-p", port, host))

    @classmethod
    def rtu(cls, port: str, unit: int) -> Mbpoll:
        return cls(("-m", "rtu", "-a", str(unit), "-b", "19200", "-P", "none", port))

    def read(self, table: str, address: int, count: int) -> list[int]:
        """Read bits or registers."""
        done = self._run("-t", _READ[table], "-r", str(address), "-c", str(count))
        assert done.returncode == 0, done.stderr + done.stdout
        return [int(value, 0) for _, value in _LINE.findall(done.stdout)]

    def write(self, table: str, address: int, *values: int) -> None:
        """Write bits or registers."""
        done = self._run("-t", _WRITE[table], "-r", str(address), values=[str(value) for value in values])
        assert done.returncode == 0, done.stderr + done.stdout

    def refusal(self, table: str, address: int, count: int) -> str:
        """Return what the tool says about a read that must fail."""
        done = self._run("-t", _READ[table], "-r", str(address), "-c", str(count), timeout_s="0.5")
        assert done.returncode != 0, done.stdout
        return done.stderr + done.stdout

    def _run(
        self, *options: str, values: list[str] | None = None, timeout_s: str = "10"
    ) -> subprocess.CompletedProcess[str]:
        command = ["mbpoll", "-0", "-1", "-q", "-o", timeout_s, *options, *self.where, *(values or [])]
        return subprocess.run(command, capture_output=True, text=True, timeout=BOUND_S, check=False)


def beat(plc: Plc, over: threading.Event) -> None:
    """Keep a PLC alive until told to stop."""
    while not over.wait(0.05):
        plc.write()


__all__ = ["BOUND_S", "Control", "HoldingRegister", "InputRegister", "Mbpoll", "Plc", "SerialCable", "Status", "Told"]

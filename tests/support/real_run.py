"""A real `lineward run` process on a real serial line: started, watched, broken on purpose, and judged afterwards.

The judge is the far end of the serial line (`SimulatedBoard`, a process of its own on a pty) together with the records
as they are read from the disk when the station has gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import psutil
from station_runs import GOES_ON, wait_until

from inspection.api.client import StationClient
from inspection.ejector.lcus import LcusBoard
from inspection.ejector.simulated import Edge, SimulatedBoard
from inspection.part import EjectorAction, Reason, Verdict
from inspection.records.reader import RecordReader
from inspection.records.record import StoredRecord
from inspection.records.verify import verify
from inspection.simulation.account import FarEnd, settle

REPOSITORY = Path(__file__).resolve().parents[2]
REJECT, HEARTBEAT = 1, 2
TIMEOUT_S = 60.0
LEAD_NS = round(LcusBoard("unused", write_timeout_s=1.0).command_s * 1e9)


def toml(values: Mapping[str, Any]) -> str:
    """Write tables of plain values as TOML; a table inside a table becomes an inline one, a list one table each."""
    return "\n".join(
        f"[[{name}]]\n{_lines(one)}" if isinstance(tables, list) else f"[{name}]\n{_lines(one)}"
        for name, tables in values.items()
        for one in (tables if isinstance(tables, list) else [tables])
    )


def _lines(table: Mapping[str, Any]) -> str:
    return "\n".join(f"{key} = {_value(value)}" for key, value in table.items()) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_value(inner)}" for key, inner in value.items()) + "}"
    return json.dumps(str(value) if isinstance(value, Path) else value)


def station_values(folder: Path, bundle: Path, board: SimulatedBoard, **changes: Mapping[str, Any]) -> dict[str, Any]:
    """A station in `folder` on that board: 0.5 s from photo-eye to ejector, a heartbeat, no page; changes by table.

    Faults of the ejector do not stop it, so that one story can hold several.
    """
    values: dict[str, Any] = {
        "model": {"bundle": bundle},
        "geometry": {"travel_time_s": 0.5},
        "inference": {"workers": 1, "max_batch": 4},
        "ejector": {
            "driver": "lcus", "port": board.port, "channel": REJECT, "heartbeat_channel": HEARTBEAT,
            "heartbeat_ms": 100, "pulse_ms": 5, "window_ms": 20, "board": {"channels": 2},
        },
        "records": {"dir": folder / "records", "min_free_mb": 0},
        "api": {"address": "127.0.0.1:0"},
        "page": {"enabled": False, "port": 0},
        "reactions": {**GOES_ON, "ejector_port_gone": "reject_all"},
    }  # fmt: skip
    for name, table in changes.items():
        values[name] = {**values.get(name, {}), **table}
    return values


class RealRun:
    """One `lineward run` as a service manager starts it. Owned by the test; ends with the block at the latest."""

    def __init__(
        self,
        folder: Path,
        values: Mapping[str, Any],
        *,
        start: bool = True,
        environment: Mapping[str, str] | None = None,
        with_pipe_camera: bool = False,
    ) -> None:
        self.folder = folder
        file = folder / "station.toml"
        file.write_text(toml(values))
        program = [str(Path(__file__).with_name("run_with_pipe_camera.py"))] if with_pipe_camera else []
        command = [sys.executable, *(program or ["-m", "inspection.cli.main"]), "run", str(file), "--json"]
        paths = os.pathsep.join((str(REPOSITORY), str(Path(__file__).parent)))
        self._said = (folder / "stderr.txt").open("w+")
        self.process = subprocess.Popen(
            command + ([] if start else ["--no-start"]),
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env={**os.environ, "PYTHONPATH": paths, **(environment or {})},
            text=True,
        )
        self.statuses: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        self._ended = False
        threading.Thread(target=self._follow, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.send(signal.SIGCONT)
            self.process.kill()
        self.process.wait(TIMEOUT_S)
        self._said.close()

    def _follow(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.statuses.append(json.loads(line))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    # ------------------------------------------------------------- what it says

    @property
    def said(self) -> str:
        """What it wrote to stderr so far."""
        return (self.folder / "stderr.txt").read_text()

    def wait(self, holds: Callable[[dict[str, Any]], bool], timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
        """Wait for a status, from the present one on, for which something holds, and return it."""
        seen = max(0, len(self.statuses) - 1)

        def found() -> bool:
            nonlocal seen
            while seen < len(self.statuses):
                if holds(self.statuses[seen]):
                    return True
                seen += 1
            return self._ended

        with self._changed:
            happened = self._changed.wait_for(found, timeout_s)
            last = self.statuses[-1:] and {k: v for k, v in self.statuses[-1].items() if k != "counters"}
            assert happened, f"not within {timeout_s:g} s; the last status: {last}"
            assert seen < len(self.statuses), f"the station ended: {self.said}"
            return self.statuses[seen]

    def wait_alarm(self, name: str) -> dict[str, Any]:
        """Wait until an alarm stands."""
        return self.wait(lambda status: name in status["alarms"])

    def wait_state(self, state: str) -> dict[str, Any]:
        """Wait for a state."""
        return self.wait(lambda status: status["state"] == state)

    def wait_counter(self, name: str, count: int) -> dict[str, Any]:
        """Wait until something has been counted that often."""
        return self.wait(lambda status: status["counters"].get(name, 0) >= count)

    def wait_more(self, field: str, count: int) -> dict[str, Any]:
        """Wait until `count` more are counted than in the present status."""
        now = self.wait(lambda _: True)[field]
        return self.wait(lambda status: status[field] >= now + count)

    def client(self) -> StationClient:
        """Return a client of its API; the caller closes it."""
        wait_until(lambda: "API " in self.said or self.process.poll() is not None, TIMEOUT_S)
        assert self.process.poll() is None, self.said
        found = re.search(r"API\s+(\S+)", self.said)
        assert found is not None
        return StationClient(found[1])

    # ------------------------------------------------------------ what is done to it

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the station's own process."""
        self.process.send_signal(number)

    def scheduler(self) -> psutil.Process:
        """Return the ejector's process that lives now."""
        return self._child("inspection.ejector.process")

    def page(self) -> psutil.Process:
        """Return the page's process that lives now."""
        return self._child("inspection.page")

    def _child(self, module: str) -> psutil.Process:
        living: list[psutil.Process] = []

        def found() -> bool:
            living[:] = [one for one in psutil.Process(self.process.pid).children() if module in _command(one)]
            return bool(living)

        wait_until(found, TIMEOUT_S)
        return living[-1]

    def end(self) -> int:
        """End it in order and return its exit status."""
        self.process.terminate()
        return self.process.wait(TIMEOUT_S)


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


# ------------------------------------------------------------------------ the judge


def read_records(folder: Path) -> list[StoredRecord]:
    """Read every record of a store, oldest first, and hold its chain."""
    assert verify(folder).problems == []
    reader = RecordReader(folder)
    try:
        return reader.after(0, 1_000_000)
    finally:
        reader.close()


def promises_broken(
    triggers: int, records: Sequence[StoredRecord], board: SimulatedBoard, orphaned: int = 0
) -> list[str]:
    """Hold records against the far end's pulses: an empty list when every promise was kept.

    orphaned: how many of the last pulses the ejector's process wrote after its station had gone, which no record can
    tell of. How long the pty takes on a busy machine is not the station's doing, so pulses are matched by their order.
    """
    pulses = [pulse.on_host_ns for pulse in board.pulses(REJECT)]
    far_end = FarEnd(pulses[: len(pulses) - orphaned], LEAD_NS, window_ns=10**11)
    account = settle(triggers, len(records), records, far_end)
    return account.promises_broken


def unjudged_passes(records: Sequence[StoredRecord]) -> list[int]:
    """Return the parts that passed without a verdict of the model in time, or against it."""
    return [
        record.part
        for record in records
        if record.verdict is Verdict.PASS
        and not (
            record.score is not None
            and record.threshold is not None
            and record.score < record.threshold
            and record.reason is Reason.NONE
            and record.ejector_action is EjectorAction.RELEASED
            and 0 < record.decided_host_ns <= record.deadline_host_ns
        )
    ]


def crossings_missed(records: Sequence[StoredRecord], rate_hz: float) -> list[int]:
    """Return the parts of one start of a paced belt without exactly one record: it knows each crossing by itself."""
    numbers = [record.part for record in records]
    first = min(records, key=lambda record: record.part)
    wrong = sorted(set(range(1, max(numbers) + 1)) ^ set(numbers)) + [n for n in set(numbers) if numbers.count(n) > 1]
    for record in records:
        crossed_ns = first.trigger_host_ns + round((record.part - first.part) / rate_hz * 1e9)
        if abs(record.trigger_host_ns - crossed_ns) > 2:
            wrong.append(record.part)
    return wrong


def beats_between(board: SimulatedBoard, first_host_ns: int, last_host_ns: int) -> list[Edge]:
    """Return the heartbeat's edges between two moments."""
    return [edge for edge in board.edges(HEARTBEAT) if first_host_ns <= edge.host_ns <= last_host_ns]


@contextlib.contextmanager
def relay_board() -> Iterator[SimulatedBoard]:
    """The far end of the serial line; it outlives the station."""
    board = SimulatedBoard("lcus", channels=2)
    try:
        yield board
    finally:
        board.close()

"""The demo: a whole station on a simulated line whose far end is a real serial port, and the account of its run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from inspection.config import StationConfig
from inspection.control import StationStatus
from inspection.ejector.simulated import SimulatedBoard
from inspection.records.reader import RecordReader
from inspection.records.record import StoredRecord
from inspection.records.verify import verify
from inspection.service import Service
from inspection.simulation.account import Account, FarEnd, settle

REJECT_CHANNEL = 1
HEARTBEAT_CHANNEL = 2
SPEED_MM_S = 400.0
CAMERA_TO_EJECTOR_MM = 320.0
_BEATS_WITHIN_S = 2.0


def demo_config(
    folder: Path,
    port: str,
    *,
    parts: int | None,
    rate_hz: float,
    seed: int,
    defect_rate: float,
    lost_frame_rate: float,
    page: bool,
    page_port: int,
    api_port: int,
    language: str,
) -> StationConfig:
    """Return the configuration of the demo's station: what a real one would have in its TOML file.

    folder: where the records go. port: the serial port of the relay board. parts: None for an endless belt.
    """
    pitch_mm = SPEED_MM_S / rate_hz
    return StationConfig.model_validate(
        {
            "station": {"name": "demo"},
            "camera": {
                "backend": "simulated",
                "speed_mm_s": SPEED_MM_S,
                "pitch_mm": pitch_mm,
                "jitter_mm": 0.1 * pitch_mm,
                "seed": seed,
                "lost_frame_rate": lost_frame_rate,
                **({} if parts is None else {"parts": parts}),
            },
            "simulation": {"seed": seed, "defect_rate": defect_rate},
            "model": {"bundle": "zoo:parts"},
            "geometry": {"camera_to_ejector_mm": CAMERA_TO_EJECTOR_MM, "belt_speed_mm_s": SPEED_MM_S},
            "ejector": {
                "driver": "lcus",
                "port": port,
                "channel": REJECT_CHANNEL,
                "heartbeat_channel": HEARTBEAT_CHANNEL,
                "pulse_ms": 20.0,
                "window_ms": 20.0,
            },
            "records": {"dir": str(folder), "image_budget_mb": 500, "min_free_mb": 50},
            "api": {"address": f"127.0.0.1:{api_port}"},
            "page": {"enabled": page, "port": page_port, "language": language},
        }
    )


class DemoLine:
    """A station, the relay board at the far end of its serial line, and a listener that counts what clients see."""

    def __init__(self, make_config: Callable[[str], StationConfig]) -> None:
        self.board = SimulatedBoard("lcus", channels=2)
        try:
            self.config = make_config(self.board.port)
            self.service = Service(self.config)
        except BaseException:
            self.board.close()
            raise
        self._published = 0
        self._ran_s = 0.0

    def __enter__(self) -> Self:
        try:
            self.service.__enter__()
        except BaseException:
            self.board.close()
            raise
        self.service.station.memory.subscribe(self._count)
        self.service.station.start_line()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.service.close()
        self.board.close()

    def _count(self, records: list[StoredRecord]) -> None:
        self._published += len(records)

    def wait(self, over: threading.Event, show: Callable[[StationStatus], None]) -> None:
        """Show the status twice a second until the belt is empty or `over` is set."""
        station, began_host_ns = self.service.station, time.monotonic_ns()
        while not over.wait(0.5) and not station.finished:
            show(station.status())
            self.service.tend()
        self._ran_s = (time.monotonic_ns() - began_host_ns) * 1e-9
        station.stop_line()
        show(station.status())

    def account(self) -> Account:
        """Close the station, look at its records and pulses with fresh eyes, and settle the account."""
        station, options = self.service.station, self.config.ejector
        triggers, run, finished = station.triggers, station.memory.run, station.finished
        expected = self.config.camera.options.get("parts") if finished else None
        self.service.close()
        far_end = FarEnd(
            reject_on_host_ns=[pulse.on_host_ns for pulse in self.board.pulses(REJECT_CHANNEL)],
            lead_ns=station.ejector.lead_ns,
            window_ns=round(options.window_ms * 1e6),
        )
        folder = self.config.records.dir
        records = RecordReader(folder).find(run=run, limit=2**31, newest_first=False)
        account = settle(triggers if expected is None else expected, self._published, records, far_end)
        account.promises_broken += self._silence_is_safe() + self._chain_holds(folder)
        return account

    def _silence_is_safe(self) -> list[str]:
        """The far end after the station has gone: every channel off, and the heartbeat has beaten before."""
        broken = []
        on = [channel for channel in (REJECT_CHANNEL, HEARTBEAT_CHANNEL) if self.board.level(channel)]
        if on:
            broken.append(f"4 silence is safe: channels {on} are still on after the end")
        if self._ran_s > _BEATS_WITHIN_S and not any(edge.on for edge in self.board.edges(HEARTBEAT_CHANNEL)):
            broken.append("4 silence is safe: the heartbeat never beat")
        return broken

    def _chain_holds(self, folder: Path) -> list[str]:
        report = verify(folder)
        return (
            []
            if report.ok
            else [f"5 what was counted stays counted: {[problem.text for problem in report.problems[:3]]}"]
        )

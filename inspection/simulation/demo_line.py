"""The demo: a whole station on a simulated line whose far end is a real serial port, and the account of its run."""

from __future__ import annotations

import threading
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

    def __enter__(self) -> Self:
        try:
            self.service.__enter__()
        except BaseException:
            self.board.close()
            raise
        self.service.station.memory.feed.subscribe(self._count)
        self.service.station.start_line()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.service.close()
        self.board.close()

    def _count(self, records: list[StoredRecord]) -> None:
        self._published += len(records)

    def wait(self, over: threading.Event, show: Callable[[StationStatus], None]) -> None:
        """Show the status twice a second until the belt is empty or `over` is set."""
        station = self.service.station
        while not over.wait(0.5) and not station.finished:
            show(station.status())
        station.stop_line()
        show(station.status())

    def account(self) -> Account:
        """Close the station, look at its records and pulses with fresh eyes, and settle the account."""
        station, options = self.service.station, self.config.ejector
        triggers, run = station.triggers, station.memory.run
        self.service.close()
        pulses = self.board.pulses()
        far_end = FarEnd(
            reject_on_host_ns=[pulse.on_host_ns for pulse in pulses if pulse.channel == REJECT_CHANNEL],
            lead_ns=round(options.lead_ms * 1e6),
            window_ns=round(options.window_ms * 1e6),
        )
        folder = self.config.records.dir
        reader = RecordReader(folder)
        account = settle(triggers, self._published, reader.list(run=run, limit=None), far_end)
        report = verify(folder)
        if not report.ok:
            account.promises_broken.append(f"5 what was counted stays counted: {report.problems[:3]}")
        return account

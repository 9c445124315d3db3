"""The demo: a whole station on a simulated line whose far end is a real serial port, and the account of its run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from inspection.config import StationConfig
from inspection.control import StationStatus
from inspection.records.reader import RecordReader
from inspection.records.record import StoredRecord
from inspection.records.verify import verify
from inspection.service import Service
from inspection.simulation.account import Account, FarEnd, settle
from inspection.simulation.far_ends import ControllerFarEnd, RelayFarEnd

MakeConfig = Callable[[Mapping[str, object]], StationConfig]
SPEED_MM_S = 400.0
CAMERA_TO_EJECTOR_MM = 320.0
_BEATS_WITHIN_S = 2.0


def demo_config(
    folder: Path,
    ejector: Mapping[str, object],
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

    folder: where the records go. ejector: how its far end is reached. parts: None for an endless belt.
    """
    closest_ms = 0.7 * 1000.0 / rate_hz
    return StationConfig.model_validate(
        {
            "station": {"name": "demo"},
            "camera": {
                **_belt(rate_hz, seed, parts),
                "lost_frame_rate": lost_frame_rate,
                **(_matching(closest_ms) if ejector.get("driver") == "simulated_controller" else {}),
            },
            "simulation": {"seed": seed, "defect_rate": defect_rate},
            "model": {"bundle": "zoo:parts"},
            "geometry": {
                "camera_to_ejector_mm": CAMERA_TO_EJECTOR_MM,
                "belt_speed_mm_s": SPEED_MM_S,
                "closest_ms": closest_ms,
            },
            # As wide as the next part allows: on a busy PC a pseudo-terminal hands bytes over milliseconds late.
            "ejector": {**ejector, "pulse_ms": 20.0, "window_ms": max(20.0, min(40.0, 0.45 * closest_ms))},
            # A pulse that is late because the PC is busy is counted, and nobody stands by to press Start.
            "reactions": {"pulse_outside_window": "warn", "pulse_failed": "warn", "controller_fault": "reject_all"},
            "records": {"dir": str(folder), "image_budget_mb": 500, "min_free_mb": 50},
            "api": {"address": f"127.0.0.1:{api_port}"},
            "page": {"enabled": page, "port": page_port, "language": language},
        }
    )


def _belt(rate_hz: float, seed: int, parts: int | None) -> dict[str, object]:
    """Return what the simulated camera needs to know of the belt and of what lies on it."""
    pitch_mm = SPEED_MM_S / rate_hz
    belt: dict[str, object] = {"backend": "simulated", "speed_mm_s": SPEED_MM_S, "pitch_mm": pitch_mm}
    belt |= {"jitter_mm": 0.1 * pitch_mm, "seed": seed}
    return belt if parts is None else belt | {"parts": parts}


def _matching(closest_ms: float) -> dict[str, float]:
    """Return how frames find the parts that the controller gave birth to: the machine may be busy."""
    return {"window_ms": 0.45 * closest_ms}  # as wide as the next part allows


class DemoLine:
    """A station, the far end of its serial line, and a listener that counts what clients see."""

    def __init__(self, far_end: RelayFarEnd | ControllerFarEnd, make_config: MakeConfig) -> None:
        self._far_end = far_end
        try:
            self.config = make_config(far_end.ejector)
            self.service = Service(self.config)
        except BaseException:
            far_end.close()
            raise
        self._published = 0
        self._ran_s = 0.0

    def __enter__(self) -> Self:
        try:
            self.service.__enter__()
            self.service.station.memory.subscribe(self._count)
            self.service.station.start_line()
        except BaseException:
            self.service.close()
            self._far_end.close()
            raise
        self._far_end.began(self.service.station.ejector)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.service.close()
        self._far_end.close()

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
            reject_on_host_ns=self._far_end.rejects_host_ns(),
            lead_ns=self._far_end.lead_ns(station.ejector),
            window_ns=round(options.window_ms * 1e6),
        )
        folder = self.config.records.dir
        records = RecordReader(folder).find(run=run, limit=2**31, newest_first=False)
        account = settle(triggers if expected is None else expected, self._published, records, far_end)
        account.promises_broken += self._far_end.unsafe(ran=self._ran_s > _BEATS_WITHIN_S) + self._chain_holds(folder)
        return account

    def _chain_holds(self, folder: Path) -> list[str]:
        report = verify(folder)
        return (
            []
            if report.ok
            else [f"5 what was counted stays counted: {[problem.text for problem in report.problems[:3]]}"]
        )

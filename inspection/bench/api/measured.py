"""The station that is measured, as seen from the benchmark: its process, its address, and orders to it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inspection.bench.frames import Setting
from inspection.bench.station_load import station_config
from inspection.config import StationConfig

_END_S = 60.0
_SPARE_STREAMS = 16


class MeasuredStation:
    """One station in a process of its own; owned by the benchmark. `ask` from one thread at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.address: str = self._answer()["address"]

    def ask(self, do: str, **values: object) -> dict[str, Any]:
        """Give an order and wait for what came of it. Raises RuntimeError when the station has ended."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **values}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def memory_mb(self) -> float:
        """Return the resident memory of its process, in MB (10⁶ bytes)."""
        return float(self.ask("memory")["mb"])

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the station that is measured ended with {self._process.wait(_END_S)}; see above")
        answer: dict[str, Any] = json.loads(line)
        return answer


def bench_config(setting: Setting, frames: Path, records: Path, *, rate_hz: float, streams: int) -> StationConfig:
    """Return the configuration of a station with its API on a free port of loopback, for so many streams at a time."""
    config = station_config(setting, frames, records, rate_hz, travel_s=1.0)
    api = {
        "address": "127.0.0.1:0", "streams_per_client": streams + _SPARE_STREAMS, "reads_per_s": 100_000,
        "max_message_mb": 64,
    }  # fmt: skip
    values = config.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return StationConfig.model_validate({**values, "api": api, "page": {"enabled": False}})


@contextmanager
def measured_station(config: StationConfig) -> Iterator[MeasuredStation]:
    """Run a station for as long as the block lasts."""
    text = config.model_dump_json(by_alias=True, exclude_unset=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "inspection.bench.api.station", text],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield MeasuredStation(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

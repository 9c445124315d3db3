"""A whole station under load: replayed frames from memory, through records and a schedule, to a simulated board."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from inspection.bench.bare import Rate, measured
from inspection.bench.frames import Setting
from inspection.config import StationConfig
from inspection.records.record import StoredRecord
from inspection.station import Station

_TRAVEL_S = 3.0
_WARM_UP_S = 1.5


def station_config(
    setting: Setting, frames: Path, records: Path, rate_hz: float, travel_s: float = _TRAVEL_S
) -> StationConfig:
    """Return a station that replays frames from memory; rate 0: as fast as they go, the belt never too full."""
    region = None
    if setting.region is not None:
        region = dict(zip(("x", "y", "width", "height"), setting.region, strict=True))
    raw = {} if setting.pixel_format in ("Mono8", "RGB8") else {"pixel_format": setting.pixel_format}
    return StationConfig.model_validate(
        {
            "camera": {
                "backend": "replay", "path": str(frames), "rate_hz": rate_hz, "loop": True,
                "preload": True, "preload_limit_mb": 2000, **raw,
            },
            "model": {"bundle": setting.bundle, "threshold": setting.threshold},
            "region": region,
            "geometry": {"travel_time_s": travel_s, "separation_ms": 0},
            "inference": {
                "workers": setting.workers, "max_batch": setting.max_batch, "queue_capacity": 1000,
                "engine": setting.engine,
            },
            "ejector": {"driver": "simulated", "pulse_ms": 5.0, "heartbeat_channel": 2},
            "records": {"dir": str(records)},
            "reactions": {"pulse_outside_window": "warn", "pulse_failed": "warn"},  # counted: that is what is measured
        }
    )  # fmt: skip


@contextmanager
def running(config: StationConfig, on_records: Callable[[list[StoredRecord]], None]) -> Iterator[Station]:
    """Open a station, start its line and close it in the end; `on_records` gets what becomes durable."""
    station = Station(config)
    station.open()
    try:
        station.memory.subscribe(on_records)
        station.start_line()
        yield station
    finally:
        station.close()


def throughput(setting: Setting, frames: Path, records_dir: Path, seconds: float) -> tuple[Rate, Counter[str]]:
    """Measure parts scored a second once it runs steadily; and how every part of the run ended, by reason.

    The processor time is that of the whole station: camera, records, images, the ejector's process and the board's.
    """
    records: list[StoredRecord] = []
    rate = Rate()
    with running(station_config(setting, frames, records_dir, 0), records.extend) as station:
        time.sleep(_WARM_UP_S)
        with measured(lambda: sum(worker.images for worker in station.engine.workers), rate):
            time.sleep(seconds)
    return rate, Counter(str(record.reason) for record in records)


def latency(setting: Setting, frames: Path, records_dir: Path, rate_hz: float, seconds: float) -> dict[str, Any]:
    """Return trigger-to-verdict percentiles of parts that come at a given rate, in milliseconds."""
    count, enough = max(50, round(rate_hz * seconds)), threading.Event()
    records: list[StoredRecord] = []

    def take(new: list[StoredRecord]) -> None:
        records.extend(new)
        if len(records) >= count:
            enough.set()

    with running(station_config(setting, frames, records_dir, rate_hz), take):
        enough.wait(count / rate_hz + 60.0)
    return summary_ms(records) | {"parts_per_s": round(rate_hz, 1)}


def summary_ms(records: Sequence[StoredRecord]) -> dict[str, Any]:
    """Return median, p99, p99.9 and maximum of the latencies, and how many parts were late."""
    latencies_ms = np.array([record.latency_us for record in records if record.latency_us is not None]) / 1e3
    return {
        "p50_ms": round(float(np.percentile(latencies_ms, 50)), 3),
        "p99_ms": round(float(np.percentile(latencies_ms, 99)), 3),
        "p99_9_ms": round(float(np.percentile(latencies_ms, 99.9)), 3),
        "max_ms": round(float(latencies_ms.max()), 3),
        "late": sum(record.reason == "LATE" for record in records),
        "parts": len(records),
    }

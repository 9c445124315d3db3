"""How much the whole station costs beside the bare model: throughput as a ratio, latency at two loads."""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from datasets.synthetic import PartRenderer
from inspection.config import StationConfig
from inspection.records.record import StoredRecord
from inspection.station import Station
from models.bundle import load_bundle
from models.references import resolve_bundle
from models.resize import fit
from models.score import defect_probability
from models.session import open_session

Say = Callable[[str], None]
_FRAMES = 24
_TRAVEL_S = 3.0
_LOADS = (0.5, 0.8)


@dataclass(frozen=True, slots=True)
class Setting:
    """What is measured: one bundle, the same workers and batch size for the bare loop and for the station."""

    bundle: str
    workers: int
    max_batch: int
    width: int
    height: int
    threshold: float = 1.0


def run(setting: Setting, *, seconds: float, rounds: int, say: Say) -> dict[str, Any]:
    """Measure bare loop and station in turn, `rounds` times, then the latency at 50 % and 80 % of the bare rate.

    Throughput ratio: median over the rounds of station / mean of the bare loop just before and just after it, so that
    a neighbour on the machine slows both. Bare loop: `workers` threads, each with a single-threaded session, calling
    `session.run` on a full batch in memory. Station: frames from a replay camera through records, schedule and ejector.
    """
    with tempfile.TemporaryDirectory(prefix="lineward-bench-") as folder:
        frames, setting = render_frames(Path(folder) / "frames", setting)
        bare, station = [_bare_rate(setting, seconds)], []
        for number in range(rounds):
            station.append(_station_rate(setting, frames, Path(folder) / f"records-{number}", bare[-1] * seconds))
            bare.append(_bare_rate(setting, seconds))
            say(f"round {number + 1}: station {station[-1]:.1f} parts/s, bare loop {bare[-2]:.1f} and {bare[-1]:.1f}")
        ratios = [rate / statistics.mean(bare[i : i + 2]) for i, rate in enumerate(station)]
        bare_rate = statistics.median(bare)
        bare_ms = _bare_latency_ms(setting)
        result: dict[str, Any] = {
            "bundle": setting.bundle,
            "workers": setting.workers,
            "max_batch": setting.max_batch,
            "frame": f"{setting.width}x{setting.height}",
            "bare_parts_per_s": round(bare_rate, 1),
            "station_parts_per_s": round(statistics.median(station), 1),
            "throughput_ratio": round(statistics.median(ratios), 3),
            "throughput_ratios": [round(ratio, 3) for ratio in ratios],
            "bare_call_ms": {"p50": bare_ms[0], "p99": bare_ms[1]},
            "latency": {},
        }
        for load in _LOADS:
            latency = _latency(setting, frames, Path(folder) / f"load-{load}", load * bare_rate, seconds)
            latency |= {f"{p}_ratio": round(latency[f"{p}_ms"] / bare_ms[0], 2) for p in ("p50", "p99")}
            result["latency"][f"{load:.0%}"] = latency
            say(f"at {load:.0%} load: median {latency['p50_ms']:.1f} ms, p99 {latency['p99_ms']:.1f} ms")
        return result


def render_frames(folder: Path, setting: Setting) -> tuple[Path, Setting]:
    """Write the frames, and set the threshold so that the worst of them (about 4 % of the parts) is rejected."""
    folder.mkdir()
    bundle = load_bundle(resolve_bundle(setting.bundle))
    session, card = open_session(bundle), bundle.card
    renderer = PartRenderer(20_000, setting.width, setting.height)
    scores = []
    for number in range(_FRAMES):
        pixels = renderer.render(number).pixels
        cv2.imwrite(str(folder / f"{number:03d}.bmp"), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
        image = fit(pixels, card.input.height, card.input.width, card.input.channels)
        scores.append(float(defect_probability(session.run(image[None]), card.good_index)[0]))
    return folder, replace(setting, threshold=max(scores))


def _bare_rate(setting: Setting, seconds: float) -> float:
    """Return images a second of `workers` threads that do nothing but `session.run` on a full batch."""
    bundle = load_bundle(resolve_bundle(setting.bundle))
    sessions = [open_session(bundle, intra_op_threads=1) for _ in range(setting.workers)]
    size = bundle.card.input
    batch = np.random.default_rng(0).integers(
        0, 256, (setting.max_batch, size.height, size.width, size.channels), np.uint8
    )
    counts, start = [0] * setting.workers, threading.Barrier(setting.workers + 1)
    end_host_ns = 0

    def loop(worker: int) -> None:
        start.wait()
        while time.monotonic_ns() < end_host_ns:
            sessions[worker].run(batch)
            counts[worker] += setting.max_batch

    threads = [threading.Thread(target=loop, args=(worker,)) for worker in range(setting.workers)]
    for thread in threads:
        thread.start()
    began_host_ns = time.monotonic_ns()
    end_host_ns = began_host_ns + round(seconds * 1e9)
    start.wait()
    for thread in threads:
        thread.join()
    return sum(counts) / ((time.monotonic_ns() - began_host_ns) * 1e-9)


def _bare_latency_ms(setting: Setting, calls: int = 200) -> tuple[float, float]:
    """Return median and p99 of one single-image call, one caller, in milliseconds."""
    bundle = load_bundle(resolve_bundle(setting.bundle))
    session, size = open_session(bundle, intra_op_threads=1), bundle.card.input
    image = np.zeros((1, size.height, size.width, size.channels), np.uint8)
    taken_ms = []
    for _ in range(calls):
        began_ns = time.monotonic_ns()
        session.run(image)
        taken_ms.append((time.monotonic_ns() - began_ns) * 1e-6)
    return round(float(np.percentile(taken_ms, 50)), 3), round(float(np.percentile(taken_ms, 99)), 3)


def station_config(
    setting: Setting, frames: Path, records: Path, rate_hz: float, travel_s: float = _TRAVEL_S
) -> StationConfig:
    """Return a station that replays frames from memory; rate 0: as fast as they go."""
    return StationConfig.model_validate(
        {
            "camera": {
                "backend": "replay", "path": str(frames), "rate_hz": rate_hz, "loop": True,
                "preload": True, "preload_limit_mb": 2000,
            },
            "model": {"bundle": setting.bundle, "threshold": setting.threshold},
            "geometry": {"travel_time_s": travel_s},
            "inference": {"workers": setting.workers, "max_batch": setting.max_batch, "queue_capacity": 1000},
            "ejector": {"driver": "simulated", "pulse_ms": 5.0, "heartbeat_channel": 2},
            "records": {"dir": str(records)},
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


def _collect(config: StationConfig, count: int, limit_s: float) -> tuple[list[StoredRecord], int]:
    """Run a station until `count` records are durable (or the limit); return all that it leaves, and that moment."""
    records: list[StoredRecord] = []
    enough = threading.Event()

    def take(new: list[StoredRecord]) -> None:
        records.extend(new)
        if len(records) >= count:
            enough.set()

    with running(config, take):
        enough.wait(limit_s)
        enough_host_ns = time.monotonic_ns()
    return records, enough_host_ns


def _station_rate(setting: Setting, frames: Path, records_dir: Path, parts: float) -> float:
    """Return parts a second through the whole station, without the first tenth and what the shutdown still scores.

    Rejected parts are recorded when they have been at the ejector, seconds after they were scored: all records that
    the run leaves are looked at, and counted by when they were scored.
    """
    count = max(60, round(parts))
    records, enough_host_ns = _collect(station_config(setting, frames, records_dir, 0), count, limit_s=120.0)
    moments = sorted(record.scored_host_ns for record in records if record.scored_host_ns)
    steady = [moment for moment in moments[count // 10 :] if moment <= enough_host_ns]
    return (len(steady) - 1) / ((steady[-1] - steady[0]) * 1e-9)


def _latency(setting: Setting, frames: Path, records_dir: Path, rate_hz: float, seconds: float) -> dict[str, Any]:
    """Return trigger-to-verdict percentiles of parts that come at a given rate, in milliseconds."""
    count = max(100, round(rate_hz * seconds * 2))
    records, _ = _collect(station_config(setting, frames, records_dir, rate_hz), count, limit_s=count / rate_hz + 60.0)
    return summary_ms(records) | {"parts_per_s": round(rate_hz, 1)}


def summary_ms(records: Sequence[StoredRecord]) -> dict[str, Any]:
    """Return median, p99 and maximum of the latencies, and how many parts were late."""
    latencies_ms = np.array([record.latency_us for record in records if record.latency_us is not None]) / 1e3
    return {
        "p50_ms": round(float(np.percentile(latencies_ms, 50)), 3),
        "p99_ms": round(float(np.percentile(latencies_ms, 99)), 3),
        "max_ms": round(float(latencies_ms.max()), 3),
        "late": sum(record.reason == "LATE" for record in records),
        "parts": len(records),
    }

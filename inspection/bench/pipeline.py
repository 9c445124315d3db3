"""How much the whole station costs beside the bare model: throughput and latency as ratios from one run."""

from __future__ import annotations

import statistics
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from camera.frame import Pixels
from inspection.bench.bare import Rate, call_ms, load, model_alone, roofline
from inspection.bench.frames import Setting, render, render_frames
from inspection.bench.station_load import latency, throughput
from models.engines import OPENVINO, Engine

Say = Callable[[str], None]
_LOADS = (0.2, 0.5, 0.8)


def run(setting: Setting, *, seconds: float, rounds: int, say: Say, loads: Sequence[float] = _LOADS) -> dict[str, Any]:
    """Measure model, roofline and station in turn, `rounds` times, then the latency at 20, 50, 80 % of the bare rate.

    to_model: station / model alone. to_roofline: station / (preparation + model). Each is the median over the rounds
    of the station's rate over the mean of the reference just before and just after it, so that a neighbour on the
    machine slows both; the `_core` ratios compare processor time instead, which a neighbour hardly touches.
    On OpenVINO its own asynchronous queue, fed with the same frames, is a third reference.
    Latency ratios: trigger-to-verdict over calls of the model alone by one caller just before and after. The load is a
    share of what the model alone does just before. `p99_to_batch_1`: the p99 at the first load over that of a station
    that never makes a batch.
    """
    with tempfile.TemporaryDirectory(prefix="lineward-bench-") as folder:
        frames, setting = render_frames(Path(folder) / "frames", setting)
        engine, pictures = load(setting), render(setting)
        references_of = _references_of(setting, engine, pictures, seconds / 2)

        def reference() -> dict[str, Rate]:
            return {name: measure() for name, measure in references_of}

        references, stations, reasons = [reference()], [], Counter[str]()
        for number in range(rounds):
            rate, ended = throughput(setting, frames, Path(folder) / f"records-{number}", seconds)
            stations.append(rate)
            reasons += ended
            references.append(reference())
            say(_round_line(number + 1, rate, references[-1]))
        result = _throughput_lines(setting, stations, references) | {"ended": dict(reasons)}

        def at(load_share: float, one: Setting) -> dict[str, Any]:
            records = Path(folder) / f"load-{load_share}-{one.max_batch}"
            found = _latency(one, engine, frames, records, load_share, seconds)
            say(f"at {load_share:.0%} load: " + ", ".join(f"{key} {value}" for key, value in found.items()))
            return found

        result["latency"] = {f"{load_share:.0%}": at(load_share, setting) for load_share in loads}
        if loads:
            result["latency"]["batch 1"] = single = at(loads[0], replace(setting, max_batch=1))
            low = result["latency"][f"{loads[0]:.0%}"]
            low["p99_to_batch_1"] = round(low["p99_ratio"] / single["p99_ratio"], 2)
        return result


def _references_of(
    setting: Setting, engine: Engine, pictures: Sequence[Pixels], seconds: float
) -> list[tuple[str, Callable[[], Rate]]]:
    """Return what the station is held against, by name."""
    found: list[tuple[str, Callable[[], Rate]]] = [
        ("model", lambda: model_alone(setting, engine, seconds)),
        ("roofline", lambda: roofline(setting, engine, pictures, seconds)),
    ]
    if setting.engine == OPENVINO:
        from inspection.bench.openvino_queue import AsyncQueue

        queue = AsyncQueue(setting)
        found.append(("async_queue", lambda: queue.rate(pictures, seconds)))
    return found


def _latency(
    setting: Setting, engine: Engine, frames: Path, records: Path, load_share: float, seconds: float
) -> dict[str, Any]:
    """Measure a station at a share of the rate that the model alone has now, between calls of the model alone."""
    bare_per_s = model_alone(setting, engine, seconds / 4).per_s
    calls_ms = call_ms(engine, seconds / 4)
    found = latency(setting, frames, records, load_share * bare_per_s, seconds * 2)
    calls_ms += call_ms(engine, seconds / 4)
    call = {f"call_{p}_ms": _percentile(calls_ms, float(p[1:])) for p in ("p50", "p99")}
    ratios = {f"{p}_ratio": round(found[f"{p}_ms"] / call[f"call_{p}_ms"], 2) for p in ("p50", "p99")}
    return found | call | ratios


def _round_line(number: int, rate: Rate, references: Mapping[str, Rate]) -> str:
    beside = ", ".join(f"{name} {one.per_s:.1f} ({one.core_ms:.2f})" for name, one in references.items())
    return f"round {number}: station {rate.per_s:.1f} parts/s ({rate.core_ms:.2f} core-ms each); {beside}"


def _throughput_lines(
    setting: Setting, stations: Sequence[Rate], references: Sequence[Mapping[str, Rate]]
) -> dict[str, Any]:
    lines: dict[str, Any] = {
        "bundle": setting.bundle,
        "engine": setting.engine,
        "workers": setting.workers,
        "max_batch": setting.max_batch,
        "frame": f"{setting.width}x{setting.height} {setting.pixel_format}",
        "region": None if setting.region is None else "{2}x{3}+{0}+{1}".format(*setting.region),
        "station_parts_per_s": round(statistics.median(rate.per_s for rate in stations), 1),
        "station_core_ms": round(statistics.median(rate.core_ms for rate in stations), 3),
    }
    for name in references[0]:
        found = [rates[name] for rates in references]
        around = [
            (statistics.mean((a.per_s, b.per_s)), statistics.mean((a.core_ms, b.core_ms))) for a, b in pairwise(found)
        ]
        lines[f"{name}_per_s"] = round(statistics.median(rate.per_s for rate in found), 1)
        lines[f"{name}_core_ms"] = round(statistics.median(rate.core_ms for rate in found), 3)
        ratios = [rate.per_s / per_s for rate, (per_s, _) in zip(stations, around, strict=True)]
        lines[f"to_{name}"] = round(statistics.median(ratios), 3)
        lines[f"to_{name}_rounds"] = [round(ratio, 3) for ratio in ratios]
        lines[f"to_{name}_core"] = round(
            statistics.median(core_ms / rate.core_ms for rate, (_, core_ms) in zip(stations, around, strict=True)), 3
        )
    return lines


def _percentile(values: Sequence[float], percent: float) -> float:
    return round(float(np.percentile(values, percent)), 3)

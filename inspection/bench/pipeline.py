"""How much the whole station costs beside the bare model: throughput and latency as ratios from one run."""

from __future__ import annotations

import statistics
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from inspection.bench.bare import Rate, call_ms, load, model_alone, roofline
from inspection.bench.frames import Setting, render, render_frames
from inspection.bench.station_load import latency, throughput

Say = Callable[[str], None]
_LOADS = (0.5, 0.8)


def run(setting: Setting, *, seconds: float, rounds: int, say: Say, loads: Sequence[float] = _LOADS) -> dict[str, Any]:
    """Measure model, roofline and station in turn, `rounds` times, then the latency at 50 % and 80 % of the bare rate.

    to_model: station / model alone. to_roofline: station / (preparation + model). Each is the median over the rounds
    of the station's rate over the mean of the reference just before and just after it, so that a neighbour on the
    machine slows both; the `_core` ratios compare processor time instead, which a neighbour hardly touches.
    Latency ratios: trigger-to-verdict over a call of the model alone by one caller, both percentiles of this run.
    """
    with tempfile.TemporaryDirectory(prefix="lineward-bench-") as folder:
        frames, setting = render_frames(Path(folder) / "frames", setting)
        engine, pictures = load(setting), render(setting)

        def reference() -> tuple[Rate, Rate]:
            return model_alone(setting, engine, seconds / 2), roofline(setting, engine, pictures, seconds / 2)

        references, stations, reasons = [reference()], [], Counter[str]()
        calls_ms = call_ms(engine, seconds / 4)
        for number in range(rounds):
            rate, ended = throughput(setting, frames, Path(folder) / f"records-{number}", seconds)
            stations.append(rate)
            reasons += ended
            references.append(reference())
            calls_ms += call_ms(engine, seconds / 4)
            say(_round_line(number + 1, rate, references[-1]))
        result = _throughput_lines(setting, stations, references) | {"ended": dict(reasons)}
        bare_rate = statistics.median(bare.per_s for bare, _ in references)
        result["call_ms"] = {"p50": _percentile(calls_ms, 50), "p99": _percentile(calls_ms, 99)}
        result["latency"] = {}
        for load_share in loads:
            records = Path(folder) / f"load-{load_share}"
            found = latency(setting, frames, records, load_share * bare_rate, seconds * 2)
            result["latency"][f"{load_share:.0%}"] = found | {
                f"{p}_ratio": round(found[f"{p}_ms"] / result["call_ms"][p], 2) for p in ("p50", "p99")
            }
            say(f"at {load_share:.0%} load: " + ", ".join(f"{key} {value}" for key, value in found.items()))
        return result


def _round_line(number: int, rate: Rate, references: tuple[Rate, Rate]) -> str:
    bare, roof = references
    return (
        f"round {number}: station {rate.per_s:.1f} parts/s ({rate.core_ms:.2f} core-ms each), model alone "
        f"{bare.per_s:.1f} ({bare.core_ms:.2f}), roofline {roof.per_s:.1f} ({roof.core_ms:.2f})"
    )


def _throughput_lines(
    setting: Setting, stations: Sequence[Rate], references: Sequence[tuple[Rate, Rate]]
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
    for place, name in enumerate(("model", "roofline")):
        found = [pair[place] for pair in references]
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

"""All figures of `lineward bench training`: one object for scripts, a table for people."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console

from training.bench.first_model import measure_first_model
from training.bench.run import Bench
from training.bench.sets import SETS, choose_sets
from training.errors import SettingsError
from training.screen import Screen, duration
from training.settings import TrainSettings, make_settings, size_values, usual_fitting

EXTRAS = ("throughput", "inference")
_FIGURES = ("accuracy", "auroc", "auroc_of_repaired", "ap", "map_of_types")
_QUICK = {"epochs": 1, "height": 64, "width": 64}


def measure_all(
    data: Path,
    out: Path,
    *,
    weights: str | None,
    only: list[str] | None,
    folds: int,
    first: int | None,
    epochs: int | None,
    size: str | None,
    backbone: str,
    threads: int,
    quick: bool,
    full: bool,
) -> dict[str, Any]:
    """Return the whole result as one object; raise TrainingError for options that fit nothing."""
    settings = _settings(weights, epochs, size, backbone, threads, quick=quick)
    if not data.is_dir():
        raise SettingsError(f"--data {data}: no such folder — the folder of the development sets is needed")
    extras = [name for name in EXTRAS if only is None or name in only]
    named = None if only is None else [name for name in only if name not in EXTRAS]
    sets = () if named == [] else choose_sets(named)
    say = Screen().say
    out.mkdir(parents=True, exist_ok=True)
    bench = Bench(data.resolve(), out.resolve(), settings, folds, 1 if quick else first, quick)
    result: dict[str, Any] = {"made": _made(), "quick": quick, "sets": {}}
    for one in sets:
        result["sets"][one.name] = bench.measure_set(one, say)
    if "throughput" in extras:
        result["throughput"] = bench.throughput(say, rounds=1 if quick else 5)
        if full:
            result["throughput"] |= measure_first_model(bench.data, bench.out, SETS, settings, say)
    if "inference" in extras:
        result["inference"] = bench.inference(SETS, repeats=5 if quick else 50)
    return result


def print_all(result: dict[str, Any]) -> None:
    """Print a few lines for each set, then the two ratios."""
    console = Console(highlight=False, soft_wrap=True)
    if result["quick"]:
        console.print("--quick: this shows that everything runs; its figures mean nothing")
    for name, one in result["sets"].items():
        if one["state"] != "measured":
            console.print(f"{name}, {one['task']}: {one['state'].upper()}: {one['why']}", markup=False)
            continue
        found = [f"{key} {_interval(one[key])}" for key in _FIGURES if one.get(key) is not None]
        console.print(f"{name}, {one['task']}: {', '.join(found)}; {_took(one)}", markup=False)
        if boxes := one.get("map_of_types"):
            told = ", ".join(f"{name} {_share(value)}" for name, value in boxes["by_type"].items())
            console.print(f"  boxes, overlap above {boxes['overlap_above']:g}: {told}", markup=False)
        for key, limit in one["target"].items():
            console.print(f"  aimed at: {key} ≥ {limit:g}: {_word(one['reached'][key])}", markup=False)
        for key, value in one["published"].items():
            console.print(f"  published: {key} {value}", markup=False)
    for name in EXTRAS:
        for key, value in result.get(name, {}).items():
            console.print(f"{name} {key}: {value}", markup=False)


def _settings(
    weights: str | None, epochs: int | None, size: str | None, backbone: str, threads: int, *, quick: bool
) -> TrainSettings:
    """Give the defaults of `lineward train`, but for what was asked for."""
    values: dict[str, object] = {"backbone": backbone, "weights": weights, "threads": threads, **usual_fitting(weights)}
    values |= _QUICK if quick else size_values(size or "auto")
    if epochs is not None:
        values["epochs"] = epochs
    return make_settings(**values)


def _made() -> dict[str, Any]:
    return {
        "when_wall": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 1),
        "machine": platform.machine(),
        "versions": {name: version(name) for name in ("lineward", "torch", "torchvision", "onnxruntime", "numpy")},
    }


def _interval(figure: dict[str, Any]) -> str:
    return f"{figure['value']:.4f} ({figure['low']:.3f}–{figure['high']:.3f})"


def _share(value: float | None) -> str:
    return "not marked" if value is None else f"{value:.4f}"


def _took(one: dict[str, Any]) -> str:
    told = f"{one['images']} images of {one['groups']} pieces in {len(one['folds'])} of {one['cut_into']} fold(s)"
    if one["train_s_per_fold"] is not None:
        told += f", {duration(one['train_s_per_fold'])} a fold"
    return told if one["peak_own_mb"] is None else f"{told}, {one['peak_own_mb']} MB at most"


def _word(reached: bool | None) -> str:
    return "not measured" if reached is None else "reached" if reached else "MISSED"

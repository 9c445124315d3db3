"""All figures of `lineward bench training`: one object for scripts, a table for people."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from training.bench.first_model import measure_first_model
from training.bench.run import Bench
from training.bench.sets import SETS, choose_sets
from training.errors import SettingsError
from training.screen import Screen
from training.settings import TrainSettings, make_settings, parse_size, usual_fitting

EXTRAS = ("throughput", "inference")
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
    """Print a line for each set, then the two ratios."""
    console = Console(highlight=False, soft_wrap=True)
    if result["quick"]:
        console.print("--quick: this shows that everything runs; its figures mean nothing")
    table = Table("set", "task", "accuracy", "AUROC", "AP", "published", "target", box=None, pad_edge=False)
    for name, one in result["sets"].items():
        if one["state"] == "measured":
            told = [_interval(one[key]) for key in ("accuracy", "auroc", "ap")]
        else:
            told = [f"{one['state'].upper()}: {one['why']}", "", ""]
        published = "; ".join(f"{key} {value}" for key, value in one["published"].items())
        target = ", ".join(
            f"{key} ≥ {limit:g}{_mark(one.get('reached', {}).get(key))}" for key, limit in one["target"].items()
        )
        table.add_row(name, one["task"], *told, published or "–", target)
    console.print(table)
    for name in EXTRAS:
        for key, value in result.get(name, {}).items():
            console.print(f"{name} {key}: {value}", markup=False)


def _settings(
    weights: str | None, epochs: int | None, size: str | None, backbone: str, threads: int, *, quick: bool
) -> TrainSettings:
    """Give the defaults of `lineward train`, but for what was asked for."""
    values: dict[str, object] = {"backbone": backbone, "weights": weights, "threads": threads, **usual_fitting(weights)}
    if quick:
        values |= _QUICK
    if epochs is not None:
        values["epochs"] = epochs
    if size is not None:
        values["height"], values["width"] = parse_size(size)
    return make_settings(**values)


def _made() -> dict[str, Any]:
    return {
        "when_wall": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 1),
        "machine": platform.machine(),
        "versions": {name: version(name) for name in ("lineward", "torch", "torchvision", "onnxruntime", "numpy")},
    }


def _interval(figure: dict[str, Any] | None) -> str:
    if figure is None:
        return "–"
    return f"{figure['value']:.4f} ({figure['low']:.3f}–{figure['high']:.3f})"


def _mark(reached: bool | None) -> str:
    return "" if reached is None else " reached" if reached else " MISSED"

"""`lineward bench`: what this machine reaches, as ratios against a reference in the same run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(help="Measure this machine, as ratios against a reference in the same run.", no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]


@app.command()
def pipeline(
    bundle: Annotated[str, typer.Option(help="A bundle, zoo:NAME, or resnet18 (made on the spot).")] = "resnet18",
    workers: Annotated[int, typer.Option(min=1, max=64)] = min(4, os.cpu_count() or 1),
    max_batch: Annotated[int, typer.Option(min=1, max=64)] = 4,
    width: Annotated[int, typer.Option(min=64, max=8192, help="Frame width in pixels.")] = 1280,
    height: Annotated[int, typer.Option(min=64, max=8192, help="Frame height in pixels.")] = 960,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="Length of each measurement.")] = 8.0,
    rounds: Annotated[int, typer.Option(min=1, max=50)] = 5,
    as_json: JsonOption = False,
) -> None:
    """Compare the whole station with the bare model; print latency at 50 % and 80 % load."""
    from inspection.bench.pipeline import Setting, run

    notes = Console(stderr=True, highlight=False)
    with _bundle(bundle, notes) as path:
        setting = Setting(path, workers, max_batch, width, height)
        result = run(setting, seconds=seconds, rounds=rounds, say=notes.print)
    result["bundle"] = bundle
    _print(result, as_json)


@app.command()
def ejector(
    pulses: Annotated[int, typer.Option(min=10, max=1_000_000, help="Scheduled pulses.")] = 2000,
    bundle: Annotated[str, typer.Option(help="What infers meanwhile: a bundle or zoo:NAME.")] = "zoo:parts",
    as_json: JsonOption = False,
) -> None:
    """Measure how late pulses are at the far end of a serial line, while inference runs and while it does not."""
    from inspection.bench.ejector import run

    _print(run(pulses=pulses, bundle=bundle), as_json)


@app.command()
def memory(
    parts: Annotated[int, typer.Option(min=1000, help="An hour of the demo's parts, as fast as they go.")] = 28_800,
    bundle: Annotated[str, typer.Option(help="A bundle, or zoo:NAME.")] = "zoo:parts",
    as_json: JsonOption = False,
) -> None:
    """Watch the resident memory of a whole station over an hour's worth of parts."""
    from inspection.bench.memory import run
    from inspection.bench.pipeline import Setting

    notes = Console(stderr=True, highlight=False)
    setting = Setting(bundle, min(4, os.cpu_count() or 1), max_batch=4, width=640, height=480)
    _print(run(setting, parts=parts, say=notes.print), as_json)


@contextmanager
def _bundle(reference: str, notes: Console) -> Iterator[str]:
    """Give the bundle to measure with; `resnet18` is made with random weights where the training extra is installed."""
    if reference != "resnet18":
        yield reference
        return
    if find_spec("torch") is None:
        notes.print("a ResNet-18 needs the training extra (pip install 'lineward[train]'): measuring zoo:parts instead")
        yield "zoo:parts"
        return
    with tempfile.TemporaryDirectory(prefix="lineward-resnet18-") as folder:
        notes.print("making a ResNet-18 with random weights, 224×224 …")
        out = Path(folder) / "resnet18"
        subprocess.run([sys.executable, "-m", "training.untrained", "--backbone", "resnet18", "--out", out], check=True)
        yield str(out)


def _print(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(result))
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for key, value in _flat(result):
        table.add_row(key, str(value))
    Console(highlight=False).print(table)


def _flat(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value

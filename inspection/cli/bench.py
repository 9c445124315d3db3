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

from inspection.cli.bench_api import api
from inspection.cli.json_option import JsonOption

app = typer.Typer(help="Measure this machine, as ratios against a reference in the same run.", no_args_is_help=True)
app.command()(api)


@app.command()
def pipeline(
    bundle: Annotated[
        list[str] | None,
        typer.Option(help="A bundle or zoo:NAME; resnet18, resnet18-int8 and mobilenet_v3_small are made on the spot."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=64)] = min(4, os.cpu_count() or 1),
    max_batch: Annotated[int, typer.Option(min=1, max=64)] = 4,
    width: Annotated[int, typer.Option(min=64, max=8192, help="Frame width in pixels.")] = 1280,
    height: Annotated[int, typer.Option(min=64, max=8192, help="Frame height in pixels.")] = 960,
    pixel_format: Annotated[str, typer.Option(help="Mono8, RGB8 or BayerRG8.")] = "Mono8",
    region: Annotated[str, typer.Option(help="What the model looks at: x,y,width,height; empty: all.")] = "",
    engine: Annotated[str, typer.Option(help="onnxruntime or openvino.")] = "onnxruntime",
    seconds: Annotated[float, typer.Option(min=1, max=600, help="Length of each measurement.")] = 8.0,
    rounds: Annotated[int, typer.Option(min=1, max=50)] = 5,
    quick: Annotated[bool, typer.Option("--quick", help="Two rounds of three seconds: a first look.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare the whole station with the bare model, and with model and preparation; latency at three loads."""
    from inspection.bench.frames import Setting
    from inspection.bench.pipeline import run

    notes = Console(stderr=True, highlight=False)
    places = [int(place) for place in region.split(",")] if region else []
    if len(places) not in (0, 4) or pixel_format not in ("Mono8", "RGB8", "BayerRG8"):
        raise typer.BadParameter("region is x,y,width,height; pixel_format is Mono8, RGB8 or BayerRG8")
    crop = (places[0], places[1], places[2], places[3]) if places else None
    results = []
    for reference in bundle or ["mobilenet_v3_small", "resnet18", "resnet18-int8"]:
        with _bundle(reference, notes) as path:
            setting = Setting(
                path, workers, max_batch, width, height, pixel_format=pixel_format, region=crop, engine=engine
            )
            result = run(setting, seconds=3.0 if quick else seconds, rounds=2 if quick else rounds, say=notes.print)
        results.append(result | {"bundle": reference})
    if as_json:
        print(json.dumps(results[0] if len(results) == 1 else results))
        return
    for result in results:
        print_result(result, as_json=False)


@app.command()
def choices(
    bundle: Annotated[str, typer.Option(help="A bundle, or mobilenet_v3_small, resnet18 …")] = "mobilenet_v3_small",
    seconds: Annotated[float, typer.Option(min=0.5, max=60, help="Length of each measurement.")] = 2.0,
    rounds: Annotated[int, typer.Option(min=1, max=50)] = 5,
    as_json: JsonOption = False,
) -> None:
    """Measure what each choice around the model is worth here, beside the way that was not taken."""
    from inspection.bench.choices import run

    notes = Console(stderr=True, highlight=False)
    with _bundle(bundle, notes) as path:
        lines = run(path, seconds=seconds, rounds=rounds, say=notes.print)
    if as_json:
        print(json.dumps(lines))
        return
    table = Table("chosen", "instead of", "unit", "ours", "other", "times better", box=None, pad_edge=False)
    for line in lines:
        table.add_row(*[str(value) for value in line.values()])
    Console(highlight=False).print(table)


@app.command()
def ejector(
    pulses: Annotated[int, typer.Option(min=10, max=1_000_000, help="Scheduled pulses.")] = 2000,
    bundle: Annotated[str, typer.Option(help="What infers meanwhile: a bundle or zoo:NAME.")] = "zoo:parts",
    as_json: JsonOption = False,
) -> None:
    """Measure how late pulses are at the far end of a serial line, while inference runs and while it does not."""
    from inspection.bench.ejector import run

    print_result(run(pulses=pulses, bundle=bundle), as_json)


@app.command()
def memory(
    parts: Annotated[int, typer.Option(min=1000, help="An hour of the demo's parts, as fast as they go.")] = 28_800,
    bundle: Annotated[str, typer.Option(help="A bundle, or zoo:NAME.")] = "zoo:parts",
    as_json: JsonOption = False,
) -> None:
    """Watch the resident memory of a whole station over an hour's worth of parts."""
    from inspection.bench.frames import Setting
    from inspection.bench.memory import run

    notes = Console(stderr=True, highlight=False)
    setting = Setting(bundle, min(4, os.cpu_count() or 1), max_batch=4, width=640, height=480)
    print_result(run(setting, parts=parts, say=notes.print), as_json)


@app.command()
def peers(
    python: Annotated[Path, typer.Option(help="Interpreter of an environment with Ray Serve, anomalib and openvino.")],
    bundle: Annotated[str, typer.Option(help="A bundle, or mobilenet_v3_small, resnet18 …")] = "mobilenet_v3_small",
    engine: Annotated[str, typer.Option(help="onnxruntime or openvino, for the station.")] = "onnxruntime",
    seconds: Annotated[float, typer.Option(min=1, max=600, help="Length of each measurement.")] = 5.0,
    rounds: Annotated[int, typer.Option(min=1, max=20)] = 3,
    as_json: JsonOption = False,
) -> None:
    """Compare the station with other servers of the same model: plain gRPC, Ray Serve, anomalib, OpenVINO's queue."""
    from inspection.bench.beside import run
    from inspection.bench.frames import Setting

    notes = Console(stderr=True, highlight=False)
    with _bundle(bundle, notes) as path:
        setting = Setting(path, min(4, os.cpu_count() or 1), 4, 1280, 960, pixel_format="RGB8", engine=engine)
        result = run(setting, python, seconds=seconds, rounds=rounds, say=notes.print)
    print_result(result | {"bundle": bundle}, as_json)


@app.command()
def cameras(
    part: Annotated[list[str] | None, typer.Option(help="rate, conversion or reconnect; absent: all of them.")] = None,
    seconds: Annotated[float, typer.Option(min=0.5, max=600, help="Length of each measurement.")] = 3.0,
    rounds: Annotated[int, typer.Option(min=1, max=50)] = 4,
    quick: Annotated[bool, typer.Option("--quick", help="One round of one second: a first look.")] = False,
    soak: Annotated[
        int, typer.Option(min=0, help="Instead: so many small frames through a driver's process; 864000 is a day's.")
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Compare the camera drivers with the bare SDKs, on cameras without hardware; time conversions and reconnects."""
    from inspection.bench.cameras import soak as long_run
    from inspection.bench.cameras.run import PARTS, run

    notes = Console(stderr=True, highlight=False)
    if unknown := set(part or ()) - set(PARTS):
        raise typer.BadParameter(f"--part {', '.join(sorted(unknown))}: one of {', '.join(PARTS)}")
    if soak:
        print_result(long_run.run(frames=soak, say=notes.print), as_json)
        return
    parts = tuple(part or PARTS)
    result = run(parts=parts, seconds=1.0 if quick else seconds, rounds=1 if quick else rounds, say=notes.print)
    if as_json:
        print(json.dumps(result))
        return
    for one in result.get("rate", ()):
        print_result(one, as_json=False)
    for lines in (result.get("conversion"), result.get("reconnect")):
        if lines:
            table = Table(*lines[0], box=None, pad_edge=False)
            for line in lines:
                table.add_row(*[str(value) for value in line.values()])
            Console(highlight=False).print(table)


_MADE = {
    "resnet18": ["--backbone", "resnet18"],
    "resnet18-int8": ["--backbone", "resnet18", "--int8"],
    "mobilenet_v3_small": ["--backbone", "mobilenet_v3_small"],
}


@contextmanager
def _bundle(reference: str, notes: Console) -> Iterator[str]:
    """Give the bundle to measure with; some are made with random weights where the training extra is installed."""
    if reference not in _MADE:
        yield reference
        return
    if find_spec("torch") is None:
        notes.print(
            f"{reference} needs the training extra (pip install 'lineward[train]'): zoo:parts is measured instead"
        )
        yield "zoo:parts"
        return
    with tempfile.TemporaryDirectory(prefix=f"lineward-{reference}-") as folder:
        notes.print(f"making {reference} with random weights, 224×224 …")
        out = Path(folder) / reference
        command = [sys.executable, "-m", "training.untrained", *_MADE[reference], "--out", str(out)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        yield str(out)


def print_result(result: dict[str, Any], as_json: bool) -> None:
    """Print one measurement: a JSON object, or a line for each figure."""
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

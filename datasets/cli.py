"""`lineward dataset`: check labelled images, find which of them show one piece, render synthetic ones, hand them on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from datasets import exchange_cli
from datasets.options import Annotations, Backbone, Folder, Form, Good, Groups, Json, Threads, Weights
from datasets.screen import progress_bar

app = typer.Typer(
    no_args_is_help=True, help="Check, group, split, describe, show and render labelled images; list their formats."
)


@app.command()
def check(
    folder: Folder,
    good: Good = None,
    groups: Groups = None,
    seed: Annotated[int, typer.Option(help="Seed of the split that is looked at.", min=0)] = 0,
    form: Form = None,
    annotations: Annotations = None,
    weights: Weights = None,
    backbone: Backbone = "mobilenet_v2",
    threads: Threads = 2,
    as_json: Json = False,
) -> None:
    """Count images, find copies, images of one piece, pairs that straddle a split and, with --weights, wrong labels.

    Exit code 0: usable (warnings may be printed); 1: something must be mended (equal content in two classes, no good
    class known); 2: files cannot be read, all of them listed by name.
    """
    from rich.console import Console

    from datasets.inspecting import inspect_folder
    from datasets.location import Location
    from datasets.tables import print_report

    location = Location(folder, form, annotations, good, groups)
    _, report = inspect_folder(location, seed=seed, weights=weights, backbone=backbone, threads=threads)
    if as_json:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False))
    else:
        print_report(report, Console())
    if report.errors():
        raise typer.Exit(1)


@app.command()
def formats(as_json: Json = False) -> None:
    """List the formats that labelled images are read in, and what each looks like in a folder."""
    from rich.console import Console
    from rich.table import Table

    from datasets.readers.table import FORMATS

    if as_json:
        typer.echo(json.dumps({row.name: row.looks for row in FORMATS}, ensure_ascii=False))
        return
    table = Table("format", "what it looks like in a folder", box=None, pad_edge=False)
    for row in FORMATS:
        table.add_row(row.name, row.looks)
    Console(highlight=False).print(table)


@app.command()
def groups(
    folder: Folder,
    out: Annotated[Path, typer.Option(help="CSV file to write; kept as DIR/groups.csv it is used by itself.")],
    form: Form = None,
    annotations: Annotations = None,
    as_json: Json = False,
) -> None:
    """Find by itself which images show one piece, and write that as a groups file for splits to respect."""
    from datasets.duplicates import find_duplicates
    from datasets.errors import DatasetError
    from datasets.groups import write_groups
    from datasets.reader import read_dataset

    if out.exists():
        raise DatasetError(f"{out}: exists; a groups file is never overwritten; remove it or choose another --out")
    with progress_bar("reading") as advance:
        dataset = read_dataset(folder, require_good=False, progress=advance, format=form, annotations=annotations)
    with progress_bar("comparing") as advance:
        found = find_duplicates(list(dict.fromkeys(sample.path for sample in dataset.samples)), progress=advance)
    write_groups(out, dataset.root, found.groups)
    number = len(set(found.groups.values()))
    summary = {"out": str(out), "images": len(found.groups), "groups": number, "near_pairs": len(found.near)}
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False))
    else:
        typer.echo(f"{out}: {len(found.groups)} images show {number} pieces")


@app.command()
def render(
    out: Annotated[Path, typer.Option(help="New folder to write class folders into.")],
    count: Annotated[int, typer.Option(help="Number of parts.", min=1, max=1_000_000)] = 500,
    seed: Annotated[int, typer.Option(help="Same seed, same parts.", min=0)] = 0,
    defect_rate: Annotated[float, typer.Option(help="Share of parts with a defect.", min=0, max=1)] = 0.5,
    width: Annotated[int, typer.Option(help="Pixels.", min=64, max=8192)] = 640,
    height: Annotated[int, typer.Option(help="Pixels.", min=64, max=8192)] = 480,
    as_json: Json = False,
) -> None:
    """Render synthetic machined parts, good and with scratches, chips, stains or in a wrong position."""
    from datasets.rendering import write_parts

    with progress_bar("rendering") as advance:
        number = write_parts(
            out, count=count, seed=seed, defect_rate=defect_rate, width=width, height=height, progress=advance
        )
    if as_json:
        typer.echo(json.dumps({"out": str(out), "seed": seed, "counts": number}, ensure_ascii=False))
    else:
        typer.echo(f"{out}: " + ", ".join(f"{value} {kind}" for kind, value in number.items()))


for command in (exchange_cli.split, exchange_cli.describe, exchange_cli.report):
    app.command()(command)

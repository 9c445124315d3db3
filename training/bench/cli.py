"""`lineward bench training`: the command; the training stack is imported only when it runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer


def training(
    data: Annotated[Path, typer.Option(help="Folder of the development sets: x_sdd, magnetic_tile, deeppcb …")],
    weights: Annotated[
        str | None, typer.Option(help="State dict FILE to start from, or 'download'; else from scratch.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Keeps the finished folds: the same command goes on where it was interrupted.")
    ] = Path("bench-training"),
    only: Annotated[
        list[str] | None, typer.Option(help="A set, throughput or inference; repeat it; absent: everything.")
    ] = None,
    folds: Annotated[int, typer.Option(min=2, max=20, help="Into how many folds a set is cut.")] = 5,
    first: Annotated[int | None, typer.Option(min=1, max=20, help="Run only the first so many folds.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Instead of the default of `lineward train`.")] = None,
    size: Annotated[str | None, typer.Option(help="As in `lineward train`: pixels, native or auto.")] = None,
    backbone: Annotated[str, typer.Option(help="As in `lineward train`.")] = "mobilenet_v2",
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 2,
    quick: Annotated[
        bool, typer.Option("--quick", help="A few pieces of each set, one epoch, small: does it run? No figures.")
    ] = False,
    full: Annotated[
        bool,
        typer.Option("--full", help="Train a model of 1,000 photos to measure its time, instead of estimating it."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Measure what training reaches on the development sets, split without leaks, beside what others published."""
    try:
        from training.bench.report import measure_all, print_all
    except ModuleNotFoundError as error:
        from training.errors import MissingExtraError

        raise MissingExtraError(
            f"'{error.name}' is not installed — this benchmark trains, which needs the training stack — "
            "pip install 'lineward[train]'"
        ) from error
    result: dict[str, Any] = measure_all(
        data,
        out,
        weights=weights,
        only=only,
        folds=folds,
        first=first,
        epochs=epochs,
        size=size,
        backbone=backbone,
        threads=threads,
        quick=quick,
        full=full,
    )
    if as_json:
        typer.echo(json.dumps(result))
    else:
        print_all(result)
    if any(one["state"] == "failed" for one in result["sets"].values()):
        raise typer.Exit(1)

"""`lineward bench api`: what the API costs, beside the bare pipeline and a bare gRPC echo in the same run."""

from __future__ import annotations

import json
import os
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from inspection.cli.json_option import JsonOption


def api(
    part: Annotated[
        list[str] | None, typer.Option(help="images, watchers, line or records; absent: all of them.")
    ] = None,
    bundle: Annotated[str, typer.Option(help="A bundle, or zoo:NAME.")] = "zoo:parts",
    rounds: Annotated[int, typer.Option(min=20, max=100_000, help="Calls of each kind for an image size.")] = 400,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="Length of each measurement of watchers.")] = 8.0,
    watchers: Annotated[
        list[int] | None, typer.Option(min=1, max=120, help="How many watch; absent: 1, 10, 100.")
    ] = None,
    rate_hz: Annotated[float, typer.Option(min=1, max=1000, help="Parts a second on the line.")] = 20.0,
    quick: Annotated[bool, typer.Option("--quick", help="Forty calls and two seconds: a first look.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare Inspect with the bare pipeline and a bare echo; count results to watchers, of whom one sleeps."""
    from inspection.bench.api.run import PARTS, run
    from inspection.bench.frames import Setting

    notes = Console(stderr=True, highlight=False)
    if unknown := set(part or ()) - set(PARTS):
        raise typer.BadParameter(f"--part {', '.join(sorted(unknown))}: one of {', '.join(PARTS)}")
    setting = Setting(bundle, min(4, os.cpu_count() or 1), max_batch=4, width=640, height=480)
    result = run(
        setting,
        parts=tuple(part or PARTS),
        rounds=40 if quick else rounds,
        seconds=2.0 if quick else seconds,
        watchers=tuple(watchers or (1, 10, 100)),
        rate_hz=rate_hz,
        say=notes.print,
    )
    if as_json:
        print(json.dumps(result))
    else:
        _print_tables(result)


def _print_tables(result: dict[str, Any]) -> None:
    console = Console(highlight=False)
    for size, found in result.get("images", {}).items():
        console.print(_calls(size, found))
    for what in ("watchers", "line"):
        if what in result:
            console.print(_columns(what, result[what]))
    if "records" in result:
        console.print(_lines("records", result["records"]))


def _calls(size: str, found: dict[str, Any]) -> Table:
    """Return one line a kind of call, then one a ratio."""
    table = Table(size.replace("_", " "), "p50", "p99", box=None, pad_edge=False)
    for name, values in found.items():
        cells = [values] if isinstance(values, float) else list(values.values())
        table.add_row(name.replace("_", " "), *[str(cell) for cell in cells])
    return table


def _lines(what: str, found: dict[str, Any]) -> Table:
    """Return one line a figure, named by the way to it."""
    table = Table(what, "", box=None, pad_edge=False)

    def add(tree: dict[str, Any], way: str) -> None:
        for name, value in tree.items():
            if isinstance(value, dict):
                add(value, f"{way}{name} ")
            else:
                table.add_row(f"{way}{name}".replace("_", " "), str(value))

    add(found, "")
    return table


def _columns(what: str, by_count: dict[str, dict[str, Any]]) -> Table:
    """Return one column a number of watchers."""
    table = Table("watchers" if what == "watchers" else "line, watched by", *by_count, box=None, pad_edge=False)
    for name in dict.fromkeys(name for values in by_count.values() for name in values):
        table.add_row(name.replace("_", " "), *[str(values.get(name, "")) for values in by_count.values()])
    return table

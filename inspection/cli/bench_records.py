"""`lineward bench records`: the store and the plant's copy beside bare loops, and searches among many records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from inspection.cli.bench import print_result
from inspection.cli.json_option import JsonOption


def records(
    rows: Annotated[int, typer.Option(min=1000, max=1_000_000, help="Records of each round.")] = 20_000,
    rounds: Annotated[int, typer.Option(min=1, max=50)] = 5,
    postgresql: Annotated[
        str,
        typer.Option(help="postgresql://… that may be written to; absent: a server made on the spot, if it can be."),
    ] = "",
    search: Annotated[
        int, typer.Option(min=0, max=100_000_000, help="Instead: time each kind of search among so many records.")
    ] = 0,
    folder: Annotated[
        Path | None, typer.Option("--dir", help="With --search: where that store is kept, and found the next time.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare storing and copying records with bare insert loops, fsync on; or time searches, with the query's plan.

    A million records to search take about 2 minutes to make and 0.4 GB; ten million 20 minutes and 4 GB.
    """
    notes = Console(stderr=True, highlight=False)
    if not search:
        from inspection.bench.records import run

        print_result(run(rows=rows, rounds=rounds, postgresql=postgresql, say=notes.print), as_json)
        return
    from inspection.bench.records_search import run as run_searches

    lines = run_searches(rows=search, folder=folder, say=notes.print)
    if as_json:
        print(json.dumps(lines))
        return
    table = Table("search", "hits", "first ms", "again ms", box=None, pad_edge=False)
    for line in lines:
        table.add_row(*(str(value) for key, value in line.items() if key != "plan"))
    console = Console(highlight=False)
    console.print(table)
    for line in lines:
        console.print(f"{line['search']}: {line['plan']}", markup=False, soft_wrap=True)

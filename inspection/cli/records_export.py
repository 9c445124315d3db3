"""`lineward records export`: stored records as a table for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from inspection.background import give_way
from inspection.cli.records_damage import damage_fields, end_with
from inspection.cli.records_filters import (
    Defect,
    Lot,
    OfEvaluation,
    OfReason,
    OfVerdict,
    Part,
    Reviewer,
    Run,
    Score,
    Serial,
    Since,
    Until,
)
from inspection.cli.records_folder import DEFAULT_DIR, Dir, Json, counted, print_json, wall_ns
from inspection.records.errors import RecordLostError
from inspection.records.export import export, found
from inspection.records.reader import RecordReader
from inspection.records.search import Search


def add_to(app: typer.Typer) -> None:
    """Add the command of this module to a group."""
    app.command("export")(export_records)


def export_records(
    out: Annotated[Path, typer.Argument(help="A new file: .parquet, .csv, .json or .jsonl.")],
    directory: Dir = DEFAULT_DIR,
    run: Run = None,
    verdict: OfVerdict = None,
    reason: OfReason = None,
    since: Since = None,
    until: Until = None,
    part: Part = None,
    lot: Lot = None,
    serial: Serial = None,
    reviewer: Reviewer = None,
    evaluation: OfEvaluation = None,
    defect: Defect = None,
    min_score: Score = None,
    max_score: Score = None,
    as_json: Json = False,
) -> None:
    """Write the records that fit every filter given to a file, the oldest trigger first; nothing is overwritten."""
    give_way()
    search = Search(
        run=run,
        verdict=verdict,
        reason=reason,
        since_wall_ns=wall_ns(since),
        until_wall_ns=wall_ns(until),
        part=part,
        lot=lot,
        serial=serial,
        reviewer=reviewer,
        evaluation=evaluation,
        defect_class=defect,
        min_score=min_score,
        max_score=max_score,
    )
    damaged: list[RecordLostError] = []
    reader = RecordReader(directory)
    columns = (TextColumn("records"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        console = Console(stderr=True)
        hidden = as_json or not console.is_terminal
        with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
            task = progress.add_task("records", total=reader.last_sequence() if search == Search() else None)
            count = export(found(reader, search, damaged), out, lambda done: progress.update(task, completed=done))
    finally:
        reader.close()
    if as_json:
        print_json({"ok": True, "file": str(out), "records": count, **damage_fields(damaged)})
    else:
        typer.echo(f"{out}: {counted(count, 'record')}")
    if damaged:
        end_with(damaged, directory)

"""`lineward records export`: stored records as a table for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from inspection.background import give_way
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
from inspection.cli.records_folder import DEFAULT_DIR, Dir, Json, print_json, wall_ns
from inspection.records.export import export, found
from inspection.records.reader import RecordReader


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
    filters = {
        "run": run,
        "verdict": verdict,
        "reason": reason,
        "since_wall_ns": wall_ns(since),
        "until_wall_ns": wall_ns(until),
        "part": part,
        "lot": lot,
        "serial": serial,
        "reviewer": reviewer,
        "evaluation": evaluation,
        "defect_class": defect,
        "min_score": min_score,
        "max_score": max_score,
    }
    is_all = all(value is None for value in filters.values())
    reader = RecordReader(directory)
    columns = (TextColumn("records"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=Console(stderr=True), transient=True, disable=as_json) as progress:
            task = progress.add_task("records", total=reader.last_sequence() if is_all else None)
            count = export(found(reader, **filters), out, lambda done: progress.update(task, completed=done))
    finally:
        reader.close()
    if as_json:
        print_json({"ok": True, "file": str(out), "records": count})
    else:
        typer.echo(f"{out}: {count} records")

"""`lineward records`: list, show and verify what a station has stored."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from inspection.challenge.findings import Proof
from inspection.challenge.past import ended_entries
from inspection.cli import records_backup, records_export, records_holds, records_proof, records_replay
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
from inspection.cli.records_folder import DEFAULT_DIR, Dir, Json, moment, print_json, wall_ns
from inspection.part import Verdict
from inspection.records.reader import RecordReader
from inspection.records.record import StoredRecord

app = typer.Typer(help="List, show and prove stored records.", no_args_is_help=True)
records_proof.add_to(app)
records_backup.add_to(app)
records_replay.add_to(app)
records_holds.add_to(app)
records_export.add_to(app)

_WIDEST = 10_000


@app.command("list")
def list_records(
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
    behind: Annotated[int | None, typer.Option(help="The next page: behind this record.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 20,
    oldest_first: Annotated[bool, typer.Option("--oldest-first")] = False,
    as_json: Json = False,
) -> None:
    """List the records that fit every filter given, the newest trigger first."""
    reader = RecordReader(directory)
    try:
        records = reader.find(
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
            before_sequence=behind,
            limit=limit,
            newest_first=not oldest_first,
        )
    finally:
        reader.close()
    if as_json:
        print_json({"records": [_as_dict(record, directory) for record in records]})
    else:
        _print_whole(_table(records))


@app.command("show")
def show_record(
    sequence: Annotated[int, typer.Argument(help="The record's number.")],
    directory: Dir = DEFAULT_DIR,
    as_json: Json = False,
) -> None:
    """Show everything about one record, and where its image is."""
    reader = RecordReader(directory)
    try:
        fields = _as_dict(reader.get(sequence), directory)
    finally:
        reader.close()
    if as_json:
        print_json(fields)
        return
    width = max(map(len, fields))
    for name, value in fields.items():
        print(f"{name:{width}}  {'' if value is None else value}")


@app.command("challenges")
def list_challenges(
    directory: Dir = DEFAULT_DIR, limit: Annotated[int, typer.Option(min=1, max=10_000)] = 20, as_json: Json = False
) -> None:
    """List challenges, the newest first: who laid how many known-bad parts when, and what became of each."""
    reader = RecordReader(directory)
    try:
        ended = ended_entries(reader, limit)
    finally:
        reader.close()
    if as_json:
        plain = [{"sequence": one.sequence, "hash": one.hash, **dataclasses.asdict(one.entry)} for one in ended]
        print_json({"challenges": plain})
        return
    table = Table()
    for heading in ("ended (UTC)", "operator", "outcome", "ending", "ejected"):
        table.add_column(heading, no_wrap=heading != "operator")
    for one in ended:
        entry, proofs = one.entry, [finding["proof"] for finding in one.entry.findings]
        ejected = f"{proofs.count(Proof.EJECTED)} of {entry.parts}"
        table.add_row(moment(entry.wall_ns), escape(entry.operator), str(entry.outcome), str(entry.ending), ejected)
    _print_whole(table)


def _table(records: list[StoredRecord]) -> Table:
    table = Table()
    known = [name for name in ("lot", "serial") if any(getattr(record, name) for record in records)]
    headings = ("record", "part", "time (UTC)", "verdict", "reason", "score", "defect", "ejector", "image", *known)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in ("record", "part", "score") else "left", no_wrap=True)
    for record in records:
        table.add_row(
            str(record.sequence),
            str(record.part),
            moment(record.trigger_wall_ns),
            f"[{'green' if record.verdict is Verdict.PASS else 'red'}]{record.verdict}[/]",
            record.reason,
            "" if record.score is None else f"{record.score:.4f}",
            escape(record.defect_class),
            record.ejector_action,
            "removed" if record.image_removed else "yes" if record.has_image else "",
            *(escape(getattr(record, name)) for name in known),
        )
    return table


def _print_whole(table: Table) -> None:
    """Print every column in full: a narrow terminal breaks lines, and no `grep` looks for what was left out."""
    console = Console()
    wanted = Measurement.get(console, console.options.update(max_width=_WIDEST), table).maximum
    console.width = max(console.width, wanted)
    console.print(table)


def _as_dict(record: StoredRecord, directory: Path) -> dict[str, Any]:
    fields = record._asdict()
    fields["time_utc"] = moment(record.trigger_wall_ns)
    fields["image_path"] = str((directory / record.image_file).absolute()) if record.has_image else None
    return fields

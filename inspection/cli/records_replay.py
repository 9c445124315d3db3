"""`lineward records replay`: score stored records again and compare bit for bit."""

from __future__ import annotations

import dataclasses
import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import track

from inspection.cli.records_damage import damage_fields, end_with, sorted_out
from inspection.cli.records_folder import DEFAULT_DIR, Dir, Json, print_json
from inspection.errors import ConfigError
from inspection.records.errors import RecordLostError, RecordMissingError
from inspection.records.reader import RecordReader
from inspection.records.record import StoredRecord
from inspection.records.search import Search

if TYPE_CHECKING:
    from inspection.records.replay import Replayed

_PAGE = 500


def add_to(app: typer.Typer) -> None:
    """Add the command of this module to a group."""
    app.command("replay")(replay_records)


def replay_records(
    sequences: Annotated[list[int] | None, typer.Argument(metavar="[RECORD]...", help="Numbers of records.")] = None,
    lot: Annotated[str | None, typer.Option(help="Every record of this lot whose image is there.")] = None,
    last: Annotated[int | None, typer.Option(min=1, max=100_000, help="The newest N whose image is there.")] = None,
    bundle: Annotated[list[str] | None, typer.Option(help="A model that they were scored with, or several.")] = None,
    directory: Dir = DEFAULT_DIR,
    as_json: Json = False,
) -> None:
    """Score records again with the same bundle, engine and batch, and compare every bit of the raw scores.

    Exit 1 when one differs, when one that was named cannot be scored again, or when none can.
    """
    from inspection.records.replay import Outcome, Replay  # the engines only where they are needed

    if (not sequences) + (lot is None) + (last is None) != 2:
        raise ConfigError("records replay: name numbers of records, --lot or --last — one of the three is needed")
    reader = RecordReader(directory)
    try:
        records, damaged = sorted_out(_named(reader, sequences) if sequences else _with_image(reader, lot, last))
    finally:
        reader.close()
    if not records and not damaged:
        raise RecordMissingError(_none(directory, lot))
    replay = Replay(directory, bundle or ())
    console = Console(stderr=True)
    shown = track(records, "records", console=console, transient=True, disable=as_json or not console.is_terminal)
    replayed = [replay.score(record) for record in shown]
    counts = Counter(one.outcome for one in replayed)
    ok = bool(counts[Outcome.EQUAL]) and not counts[Outcome.DIFFERENT]
    ok = ok and not damaged and not (sequences and counts[Outcome.IMPOSSIBLE])
    if as_json:
        told = {str(outcome).lower(): counts[outcome] for outcome in Outcome}
        shown_fields = {"ok": ok, **told, "records": [dataclasses.asdict(one) for one in replayed]}
        print_json({**shown_fields, **damage_fields(damaged)})
    else:
        _print(replayed)
        typer.echo(", ".join(f"{counts[outcome]} {outcome.lower()}" for outcome in Outcome))
    if damaged:
        end_with(damaged, directory)
    if not ok:
        raise typer.Exit(1)


def _named(reader: RecordReader, sequences: list[int]) -> Iterator[StoredRecord | RecordLostError]:
    for one in sequences:
        try:
            yield reader.get(one)
        except RecordLostError as error:
            yield error


def _with_image(reader: RecordReader, lot: str | None, last: int | None) -> list[StoredRecord | RecordLostError]:
    """Return the records with an image, of a lot or the newest, the oldest first, and those that cannot be read."""
    found: list[StoredRecord | RecordLostError] = []
    behind: int | None = None
    while page := reader.page(Search(lot=lot), limit=_PAGE, before_sequence=behind):
        found += [one for one in page if isinstance(one, RecordLostError) or one.has_image]
        behind = page[-1].row if isinstance(page[-1], RecordLostError) else page[-1].sequence
        if last is not None and len(found) >= last:
            break
    return found[:last][::-1]


def _none(directory: Path, lot: str | None) -> str:
    of_lot = "" if lot is None else f" of the lot {lot!r}"
    return (
        f"{directory}: no record{of_lot} has its image – what was scored lies in its file – see "
        f"`lineward records list{'' if lot is None else f' --lot {shlex.quote(lot)}'} --dir {directory}`"
    )


def _print(replayed: list[Replayed]) -> None:
    for one in replayed:
        typer.echo(f"record {one.sequence}  {one.outcome}{'  ' + one.why if one.why else ''}")

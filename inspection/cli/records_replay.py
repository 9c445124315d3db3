"""`lineward records replay`: score stored records again and compare bit for bit."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import track

from inspection.cli.records_folder import DEFAULT_DIR, Dir, Json, print_json
from inspection.errors import ConfigError
from inspection.records.reader import RecordReader
from inspection.records.record import ImageState, StoredRecord

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
        records = [reader.get(one) for one in sequences] if sequences else _with_image(reader, lot, last)
    finally:
        reader.close()
    replay = Replay(directory, bundle or ())
    console = Console(stderr=True)
    shown = track(records, "records", console=console, transient=True, disable=as_json)
    replayed = [replay.score(record) for record in shown]
    counts = Counter(one.outcome for one in replayed)
    ok = bool(counts[Outcome.EQUAL]) and not counts[Outcome.DIFFERENT]
    ok = ok and not (sequences and counts[Outcome.IMPOSSIBLE])
    if as_json:
        told = {str(outcome).lower(): counts[outcome] for outcome in Outcome}
        print_json({"ok": ok, **told, "records": [dataclasses.asdict(one) for one in replayed]})
    else:
        _print(replayed)
        typer.echo(", ".join(f"{counts[outcome]} {outcome.lower()}" for outcome in Outcome))
    if not ok:
        raise typer.Exit(1)


def _with_image(reader: RecordReader, lot: str | None, last: int | None) -> list[StoredRecord]:
    """Return the records with an image, of a lot or the newest, the oldest first."""
    found: list[StoredRecord] = []
    behind: int | None = None
    while page := reader.find(lot=lot, limit=_PAGE, before_sequence=behind):
        found += [one for one in page if one.image_state is ImageState.KEPT and not one.image_removed]
        behind = page[-1].sequence
        if last is not None and len(found) >= last:
            break
    return found[:last][::-1]


def _print(replayed: list[Replayed]) -> None:
    for one in replayed:
        typer.echo(f"record {one.sequence}  {one.outcome}{'  ' + one.why if one.why else ''}")

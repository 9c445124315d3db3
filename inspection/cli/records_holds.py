"""`lineward records hold` and `removals`: what must stay, and what went by which rule."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from inspection.cli.records_folder import DEFAULT_DIR, TIMES, Dir, Json, Who, counted, moment, print_json, wall_ns
from inspection.cli.station_book import ask_station, asker, station_book
from inspection.plain_text import printable
from inspection.records.entries import Entry, EntryBook, EntryKind, StoredEntry
from inspection.records.errors import HoldError
from inspection.records.hold_requests import FOLDER, request
from inspection.records.holds import HoldStep, active_holds, add_hold, hold_of, release_hold
from inspection.records.reader import RecordReader

hold_app = typer.Typer(help="Images that no rule and no disk budget may remove.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The hold's name, as the complaint's or the court's number.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module to a group."""
    app.add_typer(hold_app, name="hold")
    app.command("removals")(list_removals)


@hold_app.command("add")
def add(
    name: Name,
    reason: Annotated[str, typer.Option(help="Why the images must stay.")],
    lot: Annotated[str | None, typer.Option(help="Images of this lot.")] = None,
    serial: Annotated[str | None, typer.Option(help="Images of the part of this serial number.")] = None,
    since: Annotated[
        datetime | None, typer.Option("--from", formats=TIMES, help="UTC unless it names its offset.")
    ] = None,
    until: Annotated[datetime | None, typer.Option("--to", formats=TIMES, help="UTC, exclusive.")] = None,
    record: Annotated[list[int] | None, typer.Option(help="The image of this record; may be repeated.")] = None,
    who: Who = None,
    directory: Dir = DEFAULT_DIR,
    as_json: Json = False,
) -> None:
    """Hold the images of all records that fit everything given, beside a running station or without it."""
    cells = {
        "reason": reason,
        "lot": lot,
        "serial": serial,
        "since_wall_ns": wall_ns(since),
        "until_wall_ns": wall_ns(until),
        "records": record or None,
    }
    hold = hold_of(name, cells)
    reader = RecordReader(directory)
    try:
        now = reader.held_now(hold)
    finally:
        reader.close()
    by = asker(who, HoldError)
    _note(directory, HoldStep.ADDED, name, hold.cells(), by, lambda book: add_hold(book, hold, by, time.time_ns()))
    told = f"{counted(now.records, 'record')}, {counted(now.images, 'image')} there now, {now.removed} removed already"
    fields = {"ok": True, "hold": name, **hold.cells(), "now": dataclasses.asdict(now)}
    _say(as_json, fields, f"hold {name} is set: {told}")


@hold_app.command("release")
def release(
    name: Name,
    reason: Annotated[str, typer.Option(help="Why they may go.")],
    who: Who = None,
    directory: Dir = DEFAULT_DIR,
    as_json: Json = False,
) -> None:
    """Let go of a hold: rules and disk budget apply to its images again."""
    by = asker(who, HoldError)

    def write(book: EntryBook) -> StoredEntry:
        return release_hold(book, name, reason, by, time.time_ns())

    _note(directory, HoldStep.RELEASED, name, {"reason": reason}, by, write)
    _say(as_json, {"ok": True, "hold": name}, f"hold {printable(name)} is released")


@hold_app.command("list")
def list_holds(directory: Dir = DEFAULT_DIR, as_json: Json = False) -> None:
    """List the holds that hold now."""
    reader = RecordReader(directory)
    try:
        holds = active_holds(reader).values()  # type: ignore[arg-type]
        added = {hold.name: _added(reader, hold.name) for hold in holds}
    finally:
        reader.close()
    if as_json:
        who_set = {name: {"who": one.who, "time_utc": moment(one.wall_ns)} for name, one in added.items()}
        print_json({"holds": [{"name": hold.name, **hold.cells(), **who_set[hold.name]} for hold in holds]})
        return
    for hold in holds:
        told = ", ".join(_told(key, value) for key, value in hold.cells().items() if key != "reason")
        one = added[hold.name]
        set_by = f"set {moment(one.wall_ns)} UTC by {one.who}"
        typer.echo(printable(f"{hold.name}  {told}  – {hold.reason}  ({set_by})"))
    if not holds:
        typer.echo("nothing is held")


def _added(reader: RecordReader, name: str) -> Entry:
    """Return the entry that set a hold which holds now: the newest one about it."""
    return reader.entries(kind=EntryKind.HOLD, subject=name, limit=1, newest_first=True)[0].entry


def _told(key: str, value: Any) -> str:
    return f"{key.removesuffix('_wall_ns')} {moment(value)} UTC" if key.endswith("_wall_ns") else f"{key} {value}"


def list_removals(
    directory: Dir = DEFAULT_DIR,
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 20,
    as_json: Json = False,
) -> None:
    """List which images were removed when and by which rule, the newest first."""
    reader = RecordReader(directory)
    try:
        found = reader.entries(kind=EntryKind.REMOVAL, limit=limit, newest_first=True)
    finally:
        reader.close()
    if as_json:
        print_json({"removals": [{"time_utc": moment(one.entry.wall_ns), **one.entry.content} for one in found]})
        return
    for one in found:
        content = one.entry.content
        numbers = content["records"]
        what = f"{counted(len(numbers), 'image')}, {content['bytes']} bytes, {_span(numbers)}"
        typer.echo(f"{moment(one.entry.wall_ns)}  {what}  {content['why']}")


def _span(numbers: list[int]) -> str:
    return f"record {numbers[0]}" if len(numbers) == 1 else f"records {numbers[0]} to {numbers[-1]}"


def _note(
    directory: Path,
    step: HoldStep,
    name: str,
    cells: dict[str, Any],
    who: str,
    write: Callable[[EntryBook], StoredEntry],
) -> None:
    """Write it down: into the store where no station runs, else through the station, which alone may write then."""
    with station_book(directory) as book:
        if book is not None:
            write(book)
            return
    ask_station(directory / FOLDER, request(step, name, cells, who), f"hold {name!r}", HoldError)


def _say(as_json: bool, fields: dict[str, Any], text: str) -> None:
    if as_json:
        print_json(fields)
    else:
        typer.echo(text)

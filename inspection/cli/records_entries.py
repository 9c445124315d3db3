"""`lineward records entries`: the book of entries, as an auditor reads it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from inspection.cli.records_damage import damage_fields, end_with, sorted_out
from inspection.cli.records_folder import DEFAULT_DIR, TIMES, Dir, Json, moment, print_json, print_whole, wall_ns
from inspection.plain_text import printable
from inspection.records.entries import EntryKind, EntrySearch, StoredEntry
from inspection.records.entry_words import entry_words
from inspection.records.errors import RecordLostError
from inspection.records.reader import RecordReader

_PAGE = 500


def add_to(app: typer.Typer) -> None:
    """Add the command of this module to a group."""
    app.command("entries")(list_entries)


def list_entries(
    directory: Dir = DEFAULT_DIR,
    kind: Annotated[EntryKind | None, typer.Option(case_sensitive=False, help="Only entries of this kind.")] = None,
    subject: Annotated[
        str | None, typer.Option(help="Only about this: a command, a lot, a recipe, a record's number, a hold …")
    ] = None,
    who: Annotated[str | None, typer.Option(help="Only by this person, panel or program; '' for the station.")] = None,
    since: Annotated[
        datetime | None, typer.Option("--from", formats=TIMES, help="UTC unless it names its offset.")
    ] = None,
    until: Annotated[datetime | None, typer.Option("--to", formats=TIMES, help="UTC, exclusive.")] = None,
    last: Annotated[int, typer.Option(min=1, max=1_000_000, help="So many of the newest.")] = 20,
    behind: Annotated[int | None, typer.Option(min=1, help="The next page: behind this entry.")] = None,
    as_json: Json = False,
) -> None:
    """List the entries of the book that fit every filter given, the newest first: who did what, when."""
    search = EntrySearch(kind, subject, who, wall_ns(since), wall_ns(until))
    reader = RecordReader(directory)
    found: list[StoredEntry | RecordLostError] = []
    try:
        at = behind or 0
        while len(found) < last and (
            page := reader.entry_page(search, at, min(_PAGE, last - len(found)), newest_first=True)
        ):
            found += page
            at = page[-1].row if isinstance(page[-1], RecordLostError) else page[-1].sequence
    finally:
        reader.close()
    entries, damaged = sorted_out(found)
    if as_json:
        print_json({"entries": [_fields(one) for one in entries], **damage_fields(damaged, "entry")})
    elif entries:
        print_whole(_table(entries))
    elif not damaged:
        typer.echo("no entry fits")
    if damaged:
        end_with(damaged, directory, "entry")


def _fields(one: StoredEntry) -> dict[str, object]:
    entry = one.entry
    return {
        "sequence": one.sequence,
        "time_utc": moment(entry.wall_ns),
        "kind": entry.kind.value,
        "subject": entry.subject,
        "who": entry.who,
        "text": entry_words(entry),
        "wall_ns": entry.wall_ns,
        "content": dict(entry.content),
        "record_sequence": one.record_sequence,
        "record_hash": one.record_hash,
        "hash": one.hash,
    }


def _table(entries: list[StoredEntry]) -> Table:
    table = Table()
    for heading in ("entry", "time (UTC)", "kind", "subject", "who", "what"):
        table.add_column(heading, justify="right" if heading == "entry" else "left", no_wrap=True)
    for one in entries:
        entry = one.entry
        cells = (printable(entry.subject), printable(entry.who), entry_words(entry))
        table.add_row(str(one.sequence), moment(entry.wall_ns), entry.kind.value, *map(escape, cells))
    return table

"""What is written down beside the parts: commands, lots, reviews, holds – who did what, when, and what it changed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from sqlalchemy import Connection, Select, select

from inspection.records.record import storable_text
from inspection.records.side_chain import SideChain
from inspection.records.tables import ENTRIES_TABLE

ENTRIES_HEAD_FILE = "entries.head"
ENTRIES = SideChain(ENTRIES_TABLE, "of the book of entries", ENTRIES_HEAD_FILE)
_is_number = re.compile(r"[1-9][0-9]{0,17}").fullmatch
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


class EntryKind(StrEnum):
    """What an entry is about."""

    AUDIT = "AUDIT"  # a command: who, from where, what was before and after
    LOT = "LOT"  # a step of a lot's life; subject: the lot
    RECIPE = "RECIPE"  # a recipe was added, removed, released; subject: the recipe
    REVIEW = "REVIEW"  # a human verdict beside the machine's; subject: the record's sequence
    HOLD = "HOLD"  # images that must stay, or may go again; subject: the hold's name
    REMOVAL = "REMOVAL"  # images were removed by a rule; subject: retention, budget or disk
    SIGNATURE = "SIGNATURE"  # the station signs where each chain ends; subject: the fingerprint of its key
    STATION = "STATION"  # a state that the station was left in, for its next start


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as it is to be written. who: a person, a panel, a program; '' for the station itself.

    content: plain JSON values only.
    """

    kind: EntryKind
    subject: str
    who: str
    wall_ns: int
    content: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """One durable entry: its place in the entries' own chain, and the newest record of that moment."""

    sequence: int
    entry: Entry
    record_sequence: int
    record_hash: str
    hash: str


class EntryBook(Protocol):
    """Where entries are kept; implemented by the station's memory, safe from any thread."""

    def note(self, entry: Entry) -> StoredEntry:
        """Store one entry, durable on return. Raises RecordDiskError when the disk refuses."""

    def entries(
        self,
        *,
        kind: EntryKind | None = None,
        subject: str | None = None,
        who: str | None = None,
        after: int = 0,
        limit: int = 100,
        newest_first: bool = False,
    ) -> list[StoredEntry]:
        """Return durable entries that fit every filter given; `after`: only those with a higher (lower) sequence."""


def cells(entry: Entry) -> tuple[Any, ...]:
    """Return an entry's cells in the order of `ENTRY_COLUMNS`. Raises TypeError or ValueError for what is no JSON,
    and ValueError for a review whose subject is no record's number.
    """
    if entry.kind is EntryKind.REVIEW and not _is_number(entry.subject):
        raise ValueError(f"a review of {entry.subject!r} — its subject is a record's number — name the record")
    return (
        entry.kind.value,
        storable_text(entry.subject),
        storable_text(entry.who),
        entry.wall_ns,
        _encode(dict(entry.content)),
    )


def stored_entry(row: tuple[Any, ...]) -> StoredEntry:
    """Return the entry of one row of the table. Raises ValueError when it cannot be read."""
    sequence, kind, subject, who, wall_ns, content, record_sequence, record_hash, digest = row
    entry = Entry(EntryKind(kind), subject, who, wall_ns, json.loads(content))
    return StoredEntry(sequence, entry, record_sequence, record_hash, digest.hex())


@dataclass(frozen=True, slots=True)
class EntrySearch:
    """What is looked for: entries that fit every filter that is not None; until_wall_ns is exclusive."""

    kind: EntryKind | None = None
    subject: str | None = None
    who: str | None = None
    since_wall_ns: int | None = None
    until_wall_ns: int | None = None


def entry_query(search: EntrySearch, after: int, limit: int, *, newest_first: bool) -> Select[Any]:
    """Return the query for the rows of the table that fit, in order; after: behind this number, 0 for all."""
    columns = ENTRIES_TABLE.c
    query = select(ENTRIES_TABLE).limit(limit)
    if search.kind is not None:
        query = query.where(columns.kind == search.kind.value)
    if search.subject is not None:
        query = query.where(columns.subject == search.subject)
    if search.who is not None:
        query = query.where(columns.who == search.who)
    if search.since_wall_ns is not None:
        query = query.where(columns.wall_ns >= search.since_wall_ns)
    if search.until_wall_ns is not None:
        query = query.where(columns.wall_ns < search.until_wall_ns)
    if after:
        query = query.where(columns.sequence < after if newest_first else columns.sequence > after)
    return query.order_by(columns.sequence.desc() if newest_first else columns.sequence)


def read_entries(
    connection: Connection, search: EntrySearch, after: int, limit: int, *, newest_first: bool
) -> list[StoredEntry]:
    """Return the entries that fit. Raises ValueError when one cannot be read."""
    query = entry_query(search, after, limit, newest_first=newest_first)
    return [stored_entry(tuple(row)) for row in connection.execute(query)]

"""What is written down beside the parts: commands, lots, reviews, holds – who did what, when, and what it changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


class EntryKind(StrEnum):
    """What an entry is about."""

    AUDIT = "AUDIT"  # a command: who, from where, what was before and after
    LOT = "LOT"  # a step of a lot's life; subject: the lot
    RECIPE = "RECIPE"  # a recipe was added, removed, released; subject: the recipe
    REVIEW = "REVIEW"  # a human verdict beside the machine's; subject: the record's sequence
    HOLD = "HOLD"  # images that must stay, or may go again; subject: the hold's name
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

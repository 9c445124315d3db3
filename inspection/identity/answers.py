"""What a person said about a part that the station asked about: the newest review of its record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from inspection.part import Reason, Verdict
from inspection.plain_text import unprintable
from inspection.records.entries import Entry, EntryKind, StoredEntry
from inspection.records.record import StoredRecord

NEWEST = 500
"""So many of the newest records of the reason CODE are looked through for questions and answers at a start."""
_LONGEST = 256


class Past(Protocol):
    """Durable records and entries, in the past of a station."""

    def find(self, *, reason: Reason | None = None, lot: str | None = None, limit: int = 100) -> list[StoredRecord]:
        """Return the newest records that fit."""

    def entries(
        self, *, kind: EntryKind | None = None, subject: str | None = None, limit: int = 100, newest_first: bool = False
    ) -> list[StoredEntry]:
        """Return entries that fit."""


def asks(record: StoredRecord) -> bool:
    """Return whether a part was rejected by the policy `ask`."""
    return bool(record.extra.get("identity", {}).get("asks"))


def questions(past: Past, lot: str | None = None) -> Iterator[tuple[StoredRecord, Entry | None]]:
    """Yield the newest records that ask, oldest first, each with its newest review; None where there is none."""
    for record in reversed(past.find(reason=Reason.CODE, lot=lot, limit=NEWEST)):
        if asks(record):
            reviews = past.entries(kind=EntryKind.REVIEW, subject=str(record.sequence), limit=1, newest_first=True)
            yield record, reviews[0].entry if reviews else None


def serial_let_go(record: StoredRecord, review: Entry) -> str:
    """Return with which serial number a person let a part go on; '' where the part stays out, or has none.

    A review may name it (`serial`), as of a part whose code only a person can read.
    """
    if review.content.get("verdict") != Verdict.PASS.value:
        return ""
    named = str(review.content.get("serial", ""))
    return named if named.strip() and not unprintable(named) and len(named) <= _LONGEST else record.serial

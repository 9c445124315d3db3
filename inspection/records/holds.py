"""Legal holds: images that nobody's rule may remove until whoever set the hold lets go of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, false, func, or_, select, text

from inspection.plain_text import unprintable
from inspection.records.entries import Entry, EntryBook, EntryKind, EntrySearch, StoredEntry, read_entries
from inspection.records.errors import HoldError
from inspection.records.tables import RECORDS, REMOVED_IMAGES

_PAGE = 500
_NAME_LETTERS = 200
_RECORDS_A_HOLD = 1000


class HoldStep(StrEnum):
    """The two things that are written down about a hold."""

    ADDED = "ADDED"
    RELEASED = "RELEASED"


@dataclass(frozen=True, slots=True)
class Hold:
    """Which records' images stay: those that fit everything given; times are of the trigger, `until` is exclusive."""

    name: str
    reason: str
    lot: str | None = None
    serial: str | None = None
    since_wall_ns: int | None = None
    until_wall_ns: int | None = None
    records: tuple[int, ...] = ()

    def holds(self) -> ColumnElement[bool]:
        """Return the condition on the table of records."""
        column = RECORDS.c
        given: list[ColumnElement[bool]] = []
        if self.lot is not None:
            given.append(column.lot == self.lot)
        if self.serial is not None:
            given.append(column.serial == self.serial)
        if self.since_wall_ns is not None:
            given.append(column.trigger_wall_ns >= self.since_wall_ns)
        if self.until_wall_ns is not None:
            given.append(column.trigger_wall_ns < self.until_wall_ns)
        if self.records:
            given.append(column.sequence.in_(self.records))
        return and_(*given) if given else false()

    def cells(self) -> dict[str, Any]:
        """Return what is written down of it, in plain JSON values."""
        told = {
            "reason": self.reason,
            "lot": self.lot,
            "serial": self.serial,
            "since_wall_ns": self.since_wall_ns,
            "until_wall_ns": self.until_wall_ns,
            "records": list(self.records) or None,
        }
        return {name: value for name, value in told.items() if value is not None}


@dataclass(frozen=True, slots=True)
class HeldNow:
    """How many records a hold fits now, how many of their images are there, and how many went before it."""

    records: int
    images: int
    removed: int


def hold_of(name: str, cells: Mapping[str, Any]) -> Hold:
    """Return the hold that was written down. Raises HoldError for one that would hold nothing, or has no reason."""
    hold = Hold(
        name,
        str(cells.get("reason", "")),
        cells.get("lot"),
        cells.get("serial"),
        cells.get("since_wall_ns"),
        cells.get("until_wall_ns"),
        tuple(int(one) for one in cells.get("records") or ()),
    )
    if not name or len(name) > _NAME_LETTERS or not hold.reason:
        raise HoldError(f"hold {name!r}: has no name or no reason — say why the images must stay — add --reason")
    if (count := len(hold.records)) > _RECORDS_A_HOLD:
        raise HoldError(f"hold {name!r}: names {count} records — {_RECORDS_A_HOLD} may be — name a lot or times")
    if any(number < 1 for number in hold.records):
        raise HoldError(
            f"hold {name!r}: names record {min(hold.records)} — they count from 1 — name some that are there"
        )
    since, until = hold.since_wall_ns, hold.until_wall_ns
    if since is not None and until is not None and since >= until:
        told = f"from {_moment(since)} to {_moment(until)} is no time at all"
        raise HoldError(f"hold {name!r}: {told} — the end must be later than the beginning — mend one of them")
    if not hold.cells().keys() - {"reason"}:
        raise HoldError(f"hold {name!r}: names no records — a lot, a serial number, times or numbers do — add one")
    return hold


def _moment(wall_ns: int) -> str:
    """Return a wall time for people, in UTC to the nanosecond; the number itself where no calendar has it."""
    seconds, rest_ns = divmod(wall_ns, 10**9)
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{rest_ns:09d} UTC"
    except (OverflowError, ValueError, OSError):
        return f"{wall_ns} ns"


def add_hold(book: EntryBook, hold: Hold, who: str, wall_ns: int) -> StoredEntry:
    """Hold images from now on, durably. Raises HoldError for a name that holds already, RecordDiskError."""
    hold_of(hold.name, hold.cells())
    _check_texts(hold.name, reason=hold.reason, lot=hold.lot or "", serial=hold.serial or "", who=who)
    if hold.name in active_holds(book):
        raise HoldError(f"hold {hold.name!r}: holds already — release it first, or take another name")
    return book.note(Entry(EntryKind.HOLD, hold.name, who, wall_ns, {"step": HoldStep.ADDED.value, **hold.cells()}))


def release_hold(book: EntryBook, name: str, reason: str, who: str, wall_ns: int) -> StoredEntry:
    """Let go of a hold, durably: rules and disk budget apply again. Raises HoldError for an unknown one."""
    if not reason:
        raise HoldError(f"hold {name!r}: is not released without a reason — say why — add --reason")
    known = active_holds(book)
    _check_texts("", reason=reason, who=who)  # a name that was set before this rule must be released, too
    if name not in known:
        raise HoldError(f"hold {name!r}: does not hold — {', '.join(known) or 'nothing'} does — choose one of those")
    content = {"step": HoldStep.RELEASED.value, "reason": reason}
    return book.note(Entry(EntryKind.HOLD, name, who, wall_ns, content))


def _check_texts(name: str, **texts: str) -> None:
    """Raise HoldError for a text with a line break or a control character: the book keeps it, and tables show it."""
    for what, told in (("name", name), *texts.items()):
        if bad := unprintable(told):
            raise HoldError(
                f"hold {name!r}: its {what} has the character {bad} — printable ones on one line are allowed, since "
                "the book keeps it — leave it out"
            )


def require_there(connection: Connection, hold: Hold) -> None:
    """Raise HoldError for a hold that names a record or a lot that is not there; as quick in a large store."""
    last = connection.execute(select(func.coalesce(func.max(RECORDS.c.sequence), 0))).scalar_one()
    if beyond := [number for number in hold.records if number > last]:
        raise HoldError(f"hold {hold.name!r}: record {beyond[0]} is not there — 1 to {last} are — name one of those")
    of_lot = select(RECORDS.c.sequence).where(RECORDS.c.lot == hold.lot, text("lot <> ''")).limit(1)
    if hold.lot is not None and connection.execute(of_lot).first() is None:
        raise HoldError(f"hold {hold.name!r}: no record has the lot {hold.lot!r} — name one that was inspected")


def held_now(connection: Connection, hold: Hold) -> HeldNow:
    """Return what a hold holds of the records that are there. Raises HoldError as `require_there`."""
    require_there(connection, hold)
    removed = select(REMOVED_IMAGES.c.sequence).where(REMOVED_IMAGES.c.sequence == RECORDS.c.sequence).exists()
    kept = and_(RECORDS.c.image_bytes > 0, ~removed)
    counts = [func.count(), func.count().filter(kept), func.count().filter(removed)]
    found = connection.execute(select(*counts).select_from(RECORDS).where(hold.holds())).one()
    return HeldNow(found[0], found[1], found[2])


def active_holds(book: EntryBook) -> dict[str, Hold]:
    """Return the holds that hold now, by name, the oldest first."""
    active: dict[str, Hold] = {}
    at = 0
    while page := book.entries(kind=EntryKind.HOLD, after=at, limit=_PAGE):
        follow(active, page)
        at = page[-1].sequence
    return active


def stored_holds(connection: Connection) -> dict[str, Hold]:
    """Return the holds that a database holds now, inside the caller's transaction."""
    active: dict[str, Hold] = {}
    at = 0
    while page := read_entries(connection, EntrySearch(EntryKind.HOLD), at, _PAGE, newest_first=False):
        follow(active, page)
        at = page[-1].sequence
    return active


def follow(active: dict[str, Hold], entries: Iterable[StoredEntry]) -> None:
    """Take further entries about holds into account, in order."""
    for one in entries:
        name, content = one.entry.subject, one.entry.content
        if content.get("step") == HoldStep.RELEASED:
            active.pop(name, None)
        else:
            active[name] = hold_of(name, content)


def held(active: Iterable[Hold]) -> ColumnElement[bool]:
    """Return the condition that at least one of the holds holds a record."""
    return or_(false(), *(hold.holds() for hold in active))

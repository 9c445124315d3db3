"""What a cell of a stored record cannot be: a row that was damaged is named, never shown with what is left of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, LargeBinary, Table, cast, select

from inspection.part import EjectorAction, Evaluation, Reason, Verdict
from inspection.records.columns import CONTENT_COLUMNS
from inspection.records.entries import EntryKind, StoredEntry, stored_entry
from inspection.records.errors import RecordLostError
from inspection.records.record import ImageState, Run, missing_views
from inspection.records.tables import ENTRIES_TABLE

_TYPES: Mapping[str, tuple[type, ...]] = {
    "INTEGER NOT NULL": (int,),
    "INTEGER": (int, type(None)),
    "TEXT NOT NULL": (str,),
    "REAL": (float, int, type(None)),
}
_ALLOWED = tuple((name, frozenset(_TYPES[kind])) for name, kind in CONTENT_COLUMNS)
_PLACE = {name: place for place, (name, _) in enumerate(CONTENT_COLUMNS)}
_KINDS: Mapping[str, type[StrEnum]] = {
    "verdict": Verdict,
    "evaluation": Evaluation,
    "reason": Reason,
    "ejector_action": EjectorAction,
    "image_state": ImageState,
}
_WORDS = tuple((_PLACE[name], name, frozenset(map(str, kind))) for name, kind in _KINDS.items())
_RUN_NUMBERS = ("format", "started_wall_ns", "started_host_ns")
_ENTRY_TYPES: tuple[tuple[str, type], ...] = (
    ("sequence", int),
    ("kind", str),
    ("subject", str),
    ("who", str),
    ("wall_ns", int),
    ("content", str),
    ("record_sequence", int),
    ("record_hash", str),
    ("hash", bytes),
)
_ENTRY_KINDS = frozenset(map(str, EntryKind))
_REPLACED = "\ufffd"
_HASH_BYTES = 32


def wrong_run(run: Run) -> tuple[str, str] | None:
    """Return the first particular of a run that cannot be what a station wrote, and why; None where each can be."""
    for name, cell in asdict(run).items():
        if type(cell) is not (int if name in _RUN_NUMBERS else str):
            return f"{name} of its run", f"it is {_shown(cell)}"
    return None


def wrong_cell(content: Sequence[Any], record_hash: Any) -> tuple[str, str] | None:
    """Return the first cell of a record that cannot be what a station wrote, and why; None where each can be.

    content: in the order of `CONTENT_COLUMNS`. What could be, but was changed, is for `verify` to find.
    """
    odd = _odd_place(tuple(map(type, content)))
    if odd is not None:
        return _ALLOWED[odd][0], f"it is {_shown(content[odd])}"
    for place, name, words in _WORDS:
        if content[place] not in words:
            return name, f"it is {_shown(content[place])}, and {', '.join(sorted(words))} are allowed"
    for place, name, nothing, fits in _JSON:
        if content[place] != nothing and (why := _why_not(content[place], fits)):
            return name, why
    if type(record_hash) is not bytes or len(record_hash) != _HASH_BYTES:
        return "hash", f"it is {_shown(record_hash)}"
    return None


@lru_cache(maxsize=256)
def _odd_place(types: tuple[type, ...]) -> int | None:
    """Return the first place whose type its column never has; remembered, as all records have a few rows of types."""
    return next((place for place, one in enumerate(types) if one not in _ALLOWED[place][1]), None)


def wrong_entry_cell(row: Sequence[Any]) -> tuple[str, str] | None:
    """Return the first cell of a row of the book that cannot be what a station wrote, and why; None for none."""
    for (name, kind), cell in zip(_ENTRY_TYPES, row, strict=True):
        if type(cell) is not kind:
            return name, f"it is {_shown(cell)}"
    if row[1] not in _ENTRY_KINDS:
        return "kind", f"it is {_shown(row[1])}, and {', '.join(sorted(_ENTRY_KINDS))} are allowed"
    why = _why_not(row[5], lambda found: type(found) is dict)
    return ("content", why) if why else None


def damaged_row(what: str, sequence: int, cell: str, why: str, directory: Path) -> RecordLostError:
    """Return the error about one row, which names it and its cell."""
    return RecordLostError(
        f"{what} {sequence}: its {cell} cannot be read: {why} — what is stored is never changed after it was written — "
        f"run `lineward records verify --dir {directory}`",
        row=sequence,
        cell=cell,
    )


def entry_or_damage(row: tuple[Any, ...], connection: Connection, directory: Path) -> StoredEntry | RecordLostError:
    """Return the entry of a row of the book, or what is wrong with it."""
    wrong = wrong_entry_cell(row) or no_text(connection, ENTRIES_TABLE, row[0], ENTRIES_TABLE.c.keys(), row)
    return stored_entry(row) if wrong is None else damaged_row("entry", row[0], *wrong, directory)


def no_text(
    connection: Connection, table: Table, sequence: int, names: Sequence[str], cells: Sequence[Any]
) -> tuple[str, str] | None:
    """Return the first cell of a row whose bytes are no UTF-8, and why; None where each is a text.

    They were read with a mark in their place; only cells that show one are read again, as they lie on the disk.
    """
    for name, cell in zip(names, cells, strict=True):
        if type(cell) is not str or cell.isascii() or _REPLACED not in cell:
            continue
        raw = select(cast(table.c[name], LargeBinary)).where(table.c.sequence == sequence)
        try:
            bytes(connection.execute(raw).scalar_one()).decode()
        except UnicodeDecodeError as error:
            return name, str(error)
    return None


def _why_not(cell: str, fits: Callable[[Any], bool]) -> str:
    """Return why a cell of JSON is not what it should be; '' where it is."""
    try:
        return "" if fits(json.loads(cell)) else f"it is {_shown(cell)}"
    except RecursionError:
        return "it is nested too deeply"
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        return str(error)


def _are_scores(found: Any) -> bool:
    return type(found) is list and all(type(one) in (int, float) for one in found)


def _is_extra(found: Any) -> bool:
    return type(found) is dict and type(missing_views(found)) is tuple and type(found.get("identity", {})) is dict


def _are_batches(found: Any) -> bool:
    return type(found) is list and all(one is None or [type(number) for number in one] == [int, int] for one in found)


_JSON: tuple[tuple[int, str, str, Callable[[Any], bool]], ...] = (
    (_PLACE["raw_scores"], "raw_scores", "[]", _are_scores),
    (_PLACE["extra"], "extra", "{}", _is_extra),
    (_PLACE["batches"], "batches", "[]", _are_batches),
)


def _shown(cell: object) -> str:
    text = ascii(cell)
    return text if len(text) <= 60 else f"{text[:60]}…"

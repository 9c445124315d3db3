"""What a cell of a stored record cannot be: a row that was damaged is named, never shown with what is left of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from enum import StrEnum
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, LargeBinary, cast, select

from inspection.part import EjectorAction, Evaluation, Reason, Verdict
from inspection.records.columns import CONTENT_COLUMNS
from inspection.records.record import ImageState, Run, missing_views
from inspection.records.tables import RECORDS

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
_TEXTS = tuple((_PLACE[name], name) for name, kind in CONTENT_COLUMNS if kind.startswith("TEXT"))
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


def no_text(connection: Connection, sequence: int, content: Sequence[Any]) -> tuple[str, str] | None:
    """Return the first cell of a record whose bytes are no UTF-8, and why; None where each is a text.

    They were read with a mark in their place; only cells that show one are read again, as they lie on the disk.
    """
    for place, name in _TEXTS:
        if content[place].isascii() or _REPLACED not in content[place]:
            continue
        raw = select(cast(RECORDS.c[name], LargeBinary)).where(RECORDS.c.sequence == sequence)
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

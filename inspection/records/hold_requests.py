"""How a command asks a running station for a legal hold, and what the station does then."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from inspection.records.entries import EntryBook, EntryKind, StoredEntry
from inspection.records.holds import HoldStep, add_hold, hold_of, release_hold

FOLDER = "hold-requests"


def request(step: HoldStep, name: str, cells: Mapping[str, Any], who: str) -> dict[str, Any]:
    """Return what a command asks for."""
    return {"step": step.value, "name": name, "cells": dict(cells), "who": who}


def take(book: EntryBook, asked: Mapping[str, Any]) -> StoredEntry:
    """Set or release the hold that was asked for. Raises HoldError, RecordDiskError, and KeyError for what is none."""
    name, cells, who = str(asked["name"]), asked["cells"], str(asked["who"])
    last = book.entries(kind=EntryKind.HOLD, subject=name, limit=1, newest_first=True)
    if last and last[0].entry.content == {"step": asked["step"], **cells}:
        return last[0]  # a station that was killed behind it had taken it already
    if HoldStep(asked["step"]) is HoldStep.ADDED:
        return add_hold(book, hold_of(name, cells), who, time.time_ns())
    return release_hold(book, name, str(cells.get("reason", "")), who, time.time_ns())

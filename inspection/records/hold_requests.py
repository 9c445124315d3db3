"""How a command asks a running station for a hold: the station alone writes its records, so a file beside them asks."""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from camera.whole_file import write_whole
from inspection.records.entries import EntryBook, EntryKind, StoredEntry
from inspection.records.errors import HoldError, RecordDiskError
from inspection.records.holds import HoldStep, add_hold, hold_of, release_hold

FOLDER = "hold-requests"
_MOST_BYTES = 100_000
_log = logging.getLogger(__name__)


class HoldRequests:
    """The station's end: takes each request once and removes it. Used on the upkeep's thread only."""

    def __init__(self, directory: Path, book: EntryBook) -> None:
        self._folder, self._book = directory / FOLDER, book

    def answer(self) -> None:
        """Take what was asked for meanwhile; what cannot be read or done is told in the log and in an answer file."""
        if not self._folder.is_dir():
            return
        for path in sorted(self._folder.glob("*.json")):
            try:
                _take(self._book, path)
            except RecordDiskError:
                return  # it stays, and is tried again
            except (HoldError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
                _log.warning("%s: a hold that was asked for is refused: %s", path, error)
                _answer(path, str(error))
            else:
                _answer(path, "")


def ask(
    directory: Path,
    step: HoldStep,
    name: str,
    cells: dict[str, Any],
    who: str,
    timeout_s: float,
    wait: Callable[[], object],
) -> None:
    """Ask the station that runs in this folder for a hold or its release, and wait until that is durable.

    Raises HoldError when it is refused, or not answered within `timeout_s`. wait: called between two looks.
    """
    folder = directory / FOLDER
    folder.mkdir(exist_ok=True)
    path = folder / f"{time.time_ns()}-{secrets.token_hex(4)}.json"
    write_whole(path, json.dumps({"step": step.value, "name": name, "cells": cells, "who": who}))
    answer = path.with_suffix(".answer")
    deadline_s = time.monotonic() + timeout_s
    try:
        while not answer.exists():
            if time.monotonic() > deadline_s:
                raise HoldError(
                    f"hold {name!r}: the station did not take it within {timeout_s:g} s — a station that runs and can "
                    "write is needed — look at its alarms and repeat the command"
                )
            wait()
        refusal = answer.read_text("utf-8")
    finally:
        path.unlink(missing_ok=True)
        answer.unlink(missing_ok=True)
    if refusal:
        raise HoldError(refusal)


def _take(book: EntryBook, path: Path) -> StoredEntry:
    if path.stat().st_size > _MOST_BYTES:
        raise HoldError(f"{path.name} is larger than {_MOST_BYTES} bytes")
    asked = json.loads(path.read_text("utf-8"))
    name, cells, who = str(asked["name"]), asked["cells"], str(asked["who"])
    last = book.entries(kind=EntryKind.HOLD, subject=name, limit=1, newest_first=True)
    if last and last[0].entry.content == {"step": asked["step"], **cells}:
        return last[0]  # a station that was killed behind it had taken it already
    if HoldStep(asked["step"]) is HoldStep.ADDED:
        return add_hold(book, hold_of(name, cells), who, time.time_ns())
    return release_hold(book, name, str(cells.get("reason", "")), who, time.time_ns())


def _answer(path: Path, text: str) -> None:
    try:
        write_whole(path.with_suffix(".answer"), text)
        path.unlink(missing_ok=True)
    except OSError as error:
        _log.warning("%s: cannot be answered: %s", path, error)

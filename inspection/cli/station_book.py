"""The book of entries for a command: in the store itself where no station runs, else through the station."""

from __future__ import annotations

import contextlib
import getpass
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError

from inspection.plain_text import printable, unprintable
from inspection.records.entries import Entry, EntryBook, StoredEntry
from inspection.records.errors import RecordStoreHeldError
from inspection.records.reader import RecordReader
from inspection.records.refused import refused
from inspection.records.requests import ask
from inspection.records.store import RecordStore

_ANSWER_S = 30.0
_MOST_WHO = 64


class _StoreBook:
    """A store that no station holds, as a book of entries."""

    def __init__(self, store: RecordStore, reader: RecordReader) -> None:
        self._store, self.entries = store, reader.entries

    def note(self, entry: Entry) -> StoredEntry:
        """Store one entry, durable on return. Raises RecordDiskError when the disk refuses."""
        try:
            return self._store.append_note(entry)
        except DBAPIError as error:
            raise refused(f"{entry.kind} {printable(entry.subject)}", self._store.directory, error) from error


@contextlib.contextmanager
def station_book(directory: Path, *, make: bool = False) -> Iterator[EntryBook | None]:
    """Give the book of a store that no station holds now; None where a station runs in it.

    make: a store is made where there is none yet. Raises RecordStoreError for a folder that is no store, or that this
    user may not write to.
    """
    with contextlib.ExitStack() as stack:
        if not make:
            RecordReader(directory).close()  # a folder that is none is refused
        try:
            store = RecordStore(directory)
        except RecordStoreHeldError:
            yield None
            return
        stack.callback(store.close)
        reader = RecordReader(directory)
        stack.callback(reader.close)
        yield _StoreBook(store, reader)


def ask_station(folder: Path, asked: Mapping[str, Any], about: str, refused: Callable[[str], Exception]) -> None:
    """Ask the station that runs to write something down, and wait for it. Raises what `refused` makes."""
    pause = threading.Event()
    ask(folder, asked, about, refused, _ANSWER_S, lambda: pause.wait(0.1))


def asker(who: str | None, refused: Callable[[str], Exception]) -> str:
    """Return who asks. Raises what `refused` makes of a name that cannot be written down."""
    name = login() if who is None else who
    if bad := unprintable(name):
        raise refused(f"--who {name!r}: has the character {bad} — printable ones are allowed — leave it out")
    if not 1 <= len(name.strip()) <= _MOST_WHO:
        raise refused(f"--who: has {len(name.strip())} characters — 1 to {_MOST_WHO} are allowed — name a person")
    return name.strip()


def login() -> str:
    """Return the name of the user of this process, its number where it has none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"

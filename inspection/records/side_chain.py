"""Append-only tables beside the records: each with a hash chain of its own, anchored in the records' chain.

An entry's hash is sha256(hash of the entry before it ‖ JSON of its content); the content names the newest record of
that moment, so that neither chain can be rewritten without the other. A head file remembers where the chain ends.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspection.records.chain import GENESIS, ChainHead, HeadFile, read_head
from inspection.records.errors import RecordLostError


@dataclass(frozen=True, slots=True)
class SideChain:
    """What tells one such table from another. about: how its entries are called. columns: the content, in order.

    After `columns` each row ends with record_sequence, record_hash (the newest record then) and its own hash.
    """

    table: str
    about: str
    head_file: str
    columns: tuple[str, ...]

    @property
    def select(self) -> str:
        """Return the beginning of a query for whole rows: sequence, cells…, hash."""
        return f"SELECT sequence, {self._names}, hash FROM {self.table}"

    @property
    def insert(self) -> str:
        """Return the statement that appends a row."""
        marks = ", ".join("?" * (len(self.columns) + 4))
        return f"INSERT INTO {self.table} (sequence, {self._names}, hash) VALUES ({marks})"

    @property
    def _names(self) -> str:
        return ", ".join((*self.columns, "record_sequence", "record_hash"))

    def is_in(self, connection: sqlite3.Connection) -> bool:
        """Return whether the store has the table: one that an older version wrote has not, until it is written to."""
        query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        return connection.execute(query, (self.table,)).fetchone() is not None

    def stored_head(self, connection: sqlite3.Connection) -> ChainHead:
        """Return the newest entry's number and hash; sequence 0 where there is none."""
        if not self.is_in(connection):
            return ChainHead(0, GENESIS)
        query = f"SELECT sequence, hash FROM {self.table} ORDER BY sequence DESC LIMIT 1"
        row = connection.execute(query).fetchone()
        return ChainHead(0, GENESIS) if row is None else ChainHead(row[0], row[1])

    def rows(self, connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
        """Return every row as it is, oldest first: sequence, cells…, hash."""
        return connection.execute(f"{self.select} ORDER BY sequence").fetchall() if self.is_in(connection) else []


def entry_hash(previous: bytes, sequence: int, cells: tuple[Any, ...]) -> bytes:
    """Return sha256(previous ‖ JSON of [sequence, cells…]); JSON without blanks, ASCII only."""
    text = json.dumps([sequence, *cells], separators=(",", ":"), default=repr)
    return hashlib.sha256(previous + text.encode()).digest()


class SideBook:
    """One such table of an open store, with its head file. Owned by the `RecordStore`; one thread at a time."""

    def __init__(self, chain: SideChain, connection: sqlite3.Connection, directory: Path) -> None:
        """Open it. Raises RecordLostError where its end was cut off."""
        self._chain, self._connection = chain, connection
        self._head, remembered = chain.stored_head(connection), read_head(directory, chain.head_file)
        if remembered is not None and remembered.sequence > self._head.sequence:
            raise RecordLostError(
                f"{directory}: the entries {chain.about} end at {self._head.sequence}, but {remembered.sequence} were "
                "durable — none may go missing — restore the folder from a copy, or move it away and start a new one"
            )
        self._head_file = HeadFile(directory, chain.head_file)
        self._remember()

    def append(self, content: tuple[Any, ...], records: ChainHead) -> tuple[Any, ...]:
        """Append an entry inside the caller's transaction and return its row. Raises sqlite3.Error."""
        sequence = self._head.sequence + 1
        cells = (*content, records.sequence, records.hash.hex())
        row = (sequence, *cells, entry_hash(self._head.hash, sequence, cells))
        self._connection.execute(self._chain.insert, row)
        return row

    def settled(self, row: tuple[Any, ...]) -> None:
        """Note that an appended row is durable: the head moves on to it."""
        self._head = ChainHead(row[0], row[-1])
        self._remember()

    def close(self) -> None:
        """Let go of the head file; safe to repeat."""
        self._head_file.close()

    def _remember(self) -> None:
        with contextlib.suppress(OSError):  # the head may lag behind the store
            self._head_file.write(self._head)

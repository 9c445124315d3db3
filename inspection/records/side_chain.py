"""Append-only tables beside the records: each with a hash chain of its own, anchored in the records' chain.

An entry's hash is sha256(hash of the entry before it ‖ JSON of its content); the content names the newest record of
that moment, so that neither chain can be rewritten without the other. A head file remembers where the chain ends.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, select

from inspection.records.chain import GENESIS, ChainHead, HeadFile, read_head
from inspection.records.errors import RecordLostError

_ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class SideChain:
    """What tells one such table from another. about: how its entries are called."""

    table: Table
    about: str
    head_file: str

    def stored_head(self, connection: Connection) -> ChainHead:
        """Return the newest entry's number and hash; sequence 0 where there is none."""
        sequence = self.table.c.sequence
        newest = select(sequence, self.table.c.hash).order_by(sequence.desc()).limit(1)
        row = connection.execute(newest).one_or_none()
        return ChainHead(0, GENESIS) if row is None else ChainHead(row[0], row[1])

    def rows(self, connection: Connection) -> Iterator[tuple[Any, ...]]:
        """Yield every row as it is, oldest first: sequence, cells…, hash; in short reads, so in bounded memory."""
        key, at = self.table.c.sequence, -(2**63)
        query = select(self.table).order_by(key).limit(_ROWS_AT_ONCE)
        while rows := connection.execute(query.where(key > at)).all():
            yield from map(tuple, rows)
            at = rows[-1][0]


def entry_hash(previous: bytes, sequence: int, cells: tuple[Any, ...]) -> bytes:
    """Return sha256(previous ‖ JSON of [sequence, cells…]); JSON without blanks, ASCII only."""
    text = json.dumps([sequence, *cells], separators=(",", ":"), default=repr)
    return hashlib.sha256(previous + text.encode()).digest()


class SideBook:
    """One such table of an open store, with its head file. Owned by the `RecordStore`; one thread at a time."""

    def __init__(self, chain: SideChain, connection: Connection, directory: Path) -> None:
        """Open it. Raises RecordLostError where its end was cut off."""
        self._chain, self._connection = chain, connection
        with connection.begin():
            self._head = chain.stored_head(connection)
        remembered = read_head(directory, chain.head_file)
        if remembered is not None and remembered.sequence > self._head.sequence:
            raise RecordLostError(
                f"{directory}: the entries {chain.about} end at {self._head.sequence}, but {remembered.sequence} were "
                "durable — none may go missing — restore the folder from a copy, or move it away and start a new one"
            )
        self._head_file = HeadFile(directory, chain.head_file)
        self._remember()

    @property
    def head(self) -> ChainHead:
        """The newest durable entry's number and hash."""
        return self._head

    def append(self, content: tuple[Any, ...], records: ChainHead) -> tuple[Any, ...]:
        """Append an entry inside the caller's transaction and return its row. Raises SQLAlchemyError."""
        sequence = self._head.sequence + 1
        cells = (*content, records.sequence, records.hash.hex())
        row = (sequence, *cells, entry_hash(self._head.hash, sequence, cells))
        self._connection.execute(self._chain.table.insert(), dict(zip(self._chain.table.c.keys(), row, strict=True)))
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

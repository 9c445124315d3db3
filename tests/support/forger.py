"""Somebody with every right on the station's disk but the private key: changes rows and makes all hashes fit again."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from inspection.records.chain import GENESIS, HEAD_FILE, ChainHead, HeadFile, record_hash
from inspection.records.challenges import CHALLENGES_HEAD_FILE
from inspection.records.columns import CONTENT_NAMES
from inspection.records.entries import ENTRIES_HEAD_FILE
from inspection.records.schema import DATABASE_FILE
from inspection.records.side_chain import entry_hash


def forge(folder: Path, *statements: str) -> None:
    """Run SQL past the triggers, then recompute every hash, anchor and head file as a whole."""
    with closing(sqlite3.connect(folder / DATABASE_FILE, isolation_level=None)) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("PRAGMA foreign_keys = OFF")
        for statement in statements:
            connection.execute(statement)
        records = _rehash_records(connection)
        _write(folder, HEAD_FILE, records)
        for table, file in (("challenges", CHALLENGES_HEAD_FILE), ("entries", ENTRIES_HEAD_FILE)):
            _write(folder, file, _rehash_side(connection, table))
        for _, trigger in triggers:
            connection.execute(trigger)


def _rehash_records(connection: sqlite3.Connection) -> ChainHead:
    """Number the records anew and chain them, as an untouched store of them would be."""
    digests = dict(connection.execute("SELECT run_id, hash FROM runs").fetchall())
    names = ", ".join(CONTENT_NAMES)
    rows = connection.execute(f"SELECT sequence, run_id, {names} FROM records ORDER BY sequence").fetchall()
    connection.execute("DELETE FROM records")
    head = ChainHead(0, GENESIS)
    places = ", ".join("?" * (len(CONTENT_NAMES) + 3))
    for _, run_id, *content in rows:
        number = head.sequence + 1
        head = ChainHead(number, record_hash(head.hash, number, digests[run_id].hex(), content))
        connection.execute(
            f"INSERT INTO records (sequence, run_id, {names}, hash) VALUES ({places})",
            (number, run_id, *content, head.hash),
        )
    return head


def _rehash_side(connection: sqlite3.Connection, table: str) -> ChainHead:
    head = ChainHead(0, GENESIS)
    for sequence, *cells, _ in connection.execute(f"SELECT * FROM {table} ORDER BY sequence").fetchall():
        *content, anchor, _ = cells
        found = connection.execute("SELECT hash FROM records WHERE sequence = ?", (anchor,)).fetchone()
        if anchor and found is None:
            anchor = 0
        number = head.sequence + 1
        cells = (*content, anchor, found[0].hex() if found else GENESIS.hex())
        head = ChainHead(number, entry_hash(head.hash, number, cells))
        connection.execute(
            f"UPDATE {table} SET sequence = ?, record_sequence = ?, record_hash = ?, hash = ? WHERE sequence = ?",
            (number, anchor, cells[-1], head.hash, sequence),
        )
    return head


def _write(folder: Path, name: str, head: ChainHead) -> None:
    (folder / name).unlink(missing_ok=True)
    file = HeadFile(folder, name)
    file.write(head)
    file.close()

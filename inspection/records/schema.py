"""The layout of the record database, and opening it: a newer, foreign or missing file is refused by name."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from inspection.records.challenges import CHALLENGES_SCHEMA
from inspection.records.entries import ENTRIES_SCHEMA
from inspection.records.errors import RecordDiskError, RecordStoreError
from inspection.records.record import CONTENT_COLUMNS, CONTENT_NAMES

DATABASE_FILE = "records.sqlite"
SCHEMA_VERSION = 1
APPLICATION_ID = 0x4C575244  # "LWRD"
_BUSY_TIMEOUT_S = 5.0

_COLUMNS = ",\n    ".join(f"{name} {kind}" for name, kind in CONTENT_COLUMNS)
_REFUSALS = "\n".join(
    f"CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table} "
    f"BEGIN SELECT RAISE(ABORT, '{table} are append-only: {verb} is refused'); END;"
    for table in ("runs", "records", "removed_images")
    for verb in ("update", "delete")
)
_SCHEMA = f"""
BEGIN;
CREATE TABLE runs (
    run_id INTEGER PRIMARY KEY,
    run TEXT NOT NULL UNIQUE,
    station TEXT NOT NULL,
    model TEXT NOT NULL,
    bundle_digest TEXT NOT NULL,
    config_hash TEXT NOT NULL,
    started_wall_ns INTEGER NOT NULL,
    started_host_ns INTEGER NOT NULL,
    hash BLOB NOT NULL
);
CREATE TABLE records (
    sequence INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL REFERENCES runs (run_id),
    {_COLUMNS},
    hash BLOB NOT NULL,
    UNIQUE (run_id, part)
);
CREATE TABLE removed_images (
    sequence INTEGER PRIMARY KEY REFERENCES records (sequence),
    verdict TEXT NOT NULL,
    removed_wall_ns INTEGER NOT NULL
);
CREATE INDEX records_kept_images ON records (verdict, sequence, image_bytes) WHERE image_bytes > 0;
CREATE INDEX records_rejected ON records (sequence) WHERE verdict = 'REJECT';
CREATE INDEX removed_images_by_verdict ON removed_images (verdict, sequence);
{_REFUSALS}
{CHALLENGES_SCHEMA}
{ENTRIES_SCHEMA}
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""

INSERT_RECORD = (
    f"INSERT INTO records (sequence, run_id, {', '.join(CONTENT_NAMES)}, hash) "
    f"VALUES ({', '.join('?' * (len(CONTENT_NAMES) + 3))})"
)
RUN_COLUMNS = "run, station, model, bundle_digest, config_hash, started_wall_ns, started_host_ns"


def open_for_writing(directory: Path) -> sqlite3.Connection:
    """Open the database in a folder, or make it: WAL, `synchronous=FULL` (each commit survives power loss).

    The connection begins no transaction by itself and may be handed to one other thread.
    A store that was left half made, by a full disk or a kill, is made again. Raises RecordStoreError for a file that
    is no record store, or one of a newer version, and RecordDiskError when the disk is full.
    """
    path = directory / DATABASE_FILE
    connection = _connect(path.absolute().as_uri() + "?mode=rwc", path)
    try:
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables:
            check_schema(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.executescript(
            CHALLENGES_SCHEMA + ENTRIES_SCHEMA if tables else _SCHEMA
        )
    except sqlite3.Error as error:
        connection.close()
        if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
            raise RecordDiskError(
                f"{path}: the disk is full, no record can be stored — about 10 MB are needed to begin — free some "
                "space, or name another folder in records.dir"
            ) from error
        raise RecordStoreError(_unusable(path, error)) from error
    except RecordStoreError:
        connection.close()
        raise
    return connection


def open_for_reading(directory: Path) -> sqlite3.Connection:
    """Open the database in a folder, read-only; usable from any one thread at a time. Raises RecordStoreError."""
    path = directory / DATABASE_FILE
    if not path.is_file():
        raise RecordStoreError(
            f"{directory}: holds no {DATABASE_FILE} — a record store is the folder that the station's configuration "
            "names as records.dir — name that folder with --dir"
        )
    connection = _connect(path.absolute().as_uri() + "?mode=ro", path)
    try:
        check_schema(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise RecordStoreError(_unusable(path, error)) from error
    except RecordStoreError:
        connection.close()
        raise
    connection.text_factory = _decode
    return connection


def check_schema(connection: sqlite3.Connection, path: Path) -> None:
    """Check that the database is a record store of a version that we know. Raises RecordStoreError."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise RecordStoreError(
            f"{path}: an SQLite file with application id {application:#010x} — a record store has "
            f"{APPLICATION_ID:#010x} — name the folder of a station's records, or move this file away"
        )
    if version != SCHEMA_VERSION:
        raise RecordStoreError(
            f"{path}: schema version {version} — this program knows version {SCHEMA_VERSION} — use the version of "
            "Lineward that wrote it, or another folder"
        )


def _connect(uri: str, path: Path) -> sqlite3.Connection:
    try:
        return sqlite3.connect(uri, uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise RecordStoreError(_unusable(path, error)) from error


def _unusable(path: Path, error: sqlite3.Error) -> str:
    return (
        f"{path}: cannot be used as a record store: {error} — an SQLite file written by Lineward, in a folder that "
        "this user may write to, is needed — name another folder, or move this file away"
    )


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "replace")  # a damaged cell must be read to be named, not end the reading

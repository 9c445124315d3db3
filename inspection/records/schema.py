"""Opening a record store's own database: it is made, upgraded, or refused by name when newer, foreign or missing."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, QueuePool, create_engine, event, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from inspection.records.append_only import make_append_only
from inspection.records.errors import RecordDiskError, RecordStoreDamagedError, RecordStoreError
from inspection.records.first_version import show_as_newest
from inspection.records.tables import METADATA
from inspection.records.upgrade import SCHEMA_VERSION, upgrade

_log = logging.getLogger(__name__)
DATABASE_FILE = "records.sqlite"
APPLICATION_ID = 0x4C575244  # "LWRD"
_BUSY_TIMEOUT_S = 5.0
_IDLE_CONNECTIONS = 8
_UNREADABLE = (
    SQLAlchemyError,
    sqlite3.Error,
    UnicodeDecodeError,
)  # the last: a message of SQLite names what is no text


def open_for_writing(directory: Path) -> Connection:
    """Open the database in a folder, or make or upgrade it: WAL, `synchronous=FULL` (a commit survives power loss).

    Each transaction begins with BEGIN IMMEDIATE. The connection may be handed to one other thread. A store that was
    left half made, by a full disk or a kill, is made again. Raises RecordStoreError for a file that is no record
    store, or one of a newer version, and RecordDiskError when the disk is full.
    """
    path = directory / DATABASE_FILE
    engine = create_engine(
        "sqlite+pysqlite://", creator=lambda: _connect(path, "rwc"), poolclass=NullPool, hide_parameters=True
    )
    event.listen(engine, "begin", _begin_immediate)
    connection = _opened(engine, path)
    try:
        _prepare(connection, path)
    except _UNREADABLE as error:
        connection.close()
        if getattr(reason(error), "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL:
            raise RecordDiskError(
                f"{path}: the disk is full, no record can be stored — about 10 MB are needed to begin — free some "
                "space, or name another folder in records.dir"
            ) from error
        raise _refusal(path, error) from error
    except RecordStoreError:
        connection.close()
        raise
    return connection


def open_for_reading(directory: Path) -> Engine:
    """Return what gives read-only connections to the database in a folder, each for one thread at a time.

    A read is a transaction of its own, so that no reader holds up the writer's checkpoints. A store of an earlier
    version is shown as one of this version, and stays as it is. Raises RecordStoreError.
    """
    path = directory / DATABASE_FILE
    if not path.is_file():
        raise RecordStoreError(
            f"{directory}: holds no {DATABASE_FILE} — a record store is the folder that the station's configuration "
            "names as records.dir — name that folder with --dir"
        )
    engine = create_engine(
        "sqlite+pysqlite://",
        creator=lambda: _connect_read_only(path),
        poolclass=QueuePool,
        pool_size=_IDLE_CONNECTIONS,
        max_overflow=-1,
        hide_parameters=True,
    )
    try:
        with _opened(engine, path):
            return engine
    except RecordStoreError:
        engine.dispose()
        raise


@contextlib.contextmanager
def refusing_damage(directory: Path) -> Iterator[None]:
    """Raise RecordStoreDamagedError for what the database says inside the block when it cannot be read."""
    path = directory / DATABASE_FILE
    try:
        yield
    except _UNREADABLE as error:
        raise _damaged(path, f"the database is damaged: {reason(error)}") from error


def open_whole(directory: Path) -> Engine:
    """Open as `open_for_reading` a database whose every table and column is there. Raises RecordStoreError."""
    database = open_for_reading(directory)
    try:
        with database.connect() as connection:
            for table in METADATA.tables.values():
                connection.execute(select(table).limit(0)).all()
    except _UNREADABLE as error:
        database.dispose()
        raise _schema_damaged(directory / DATABASE_FILE, error) from error
    return database


def reason(error: BaseException) -> BaseException:
    """Return what the driver itself said."""
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def is_damage(error: Exception) -> bool:
    """Return whether an error of the database says that its file is damaged."""
    code = getattr(reason(error), "sqlite_errorcode", None) or 0
    return isinstance(error, UnicodeDecodeError) or code & 0xFF == sqlite3.SQLITE_CORRUPT


def _refusal(path: Path, error: Exception) -> RecordStoreError:
    """Return the error for a database that cannot be opened: it reads no more than its schema then."""
    return _schema_damaged(path, error) if is_damage(error) else RecordStoreError(_unusable(path, error))


def _schema_damaged(path: Path, error: Exception) -> RecordStoreDamagedError:
    why = "a name in it is no text" if isinstance(error, UnicodeDecodeError) else str(reason(error))
    return _damaged(path, f"the schema of the database is damaged: {why}")


def _damaged(path: Path, problem: str) -> RecordStoreDamagedError:
    return RecordStoreDamagedError(
        f"{path}: {problem} — an intact SQLite file is needed — restore the folder from a copy", problem
    )


def _unusable(path: Path, error: Exception) -> str:
    return (
        f"{path}: cannot be used as a record store: {reason(error)} — an SQLite file written by Lineward, in a "
        "folder that this user may write to, is needed — name another folder, or move this file away"
    )


def _prepare(connection: Connection, path: Path) -> None:
    sqlite = _driver_connection(connection)
    (tables,) = sqlite.execute("SELECT count(*) FROM sqlite_master").fetchone()
    version = _checked_version(sqlite, path) if tables else 0
    for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        sqlite.execute(f"PRAGMA {setting}")
    if version < SCHEMA_VERSION:
        with connection.begin():  # DDL, too, is all or nothing
            upgrade(connection, taken_over=version)
            connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")
    missing = [table for table in METADATA.tables if not _has_table(sqlite, table)]
    if missing:
        raise RecordStoreError(
            f"{path}: its table {missing[0]} is missing — nothing may go missing — restore the folder from a copy, or "
            "move it away and start a new one"
        )
    _guard(connection, path)


def _guard(connection: Connection, path: Path) -> None:
    """Make triggers again that somebody dropped."""
    sqlite = _driver_connection(connection)
    present = {name for (name,) in sqlite.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
    open_tables = [one for one in METADATA.tables if not {f"{one}_no_update", f"{one}_no_delete"} <= present]
    if open_tables:
        _log.warning("%s: triggers that keep %s append-only were dropped; made again", path, ", ".join(open_tables))
        with connection.begin():
            for table in open_tables:
                make_append_only(connection, table)


def _checked_version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of a record store that we know. Raises RecordStoreError for anything else."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise RecordStoreError(
            f"{path}: an SQLite file with application id {application:#010x} — a record store has "
            f"{APPLICATION_ID:#010x} — name the folder of a station's records, or move this file away"
        )
    if not 1 <= version <= SCHEMA_VERSION:
        raise RecordStoreError(
            f"{path}: schema version {version} — this program knows versions 1 to {SCHEMA_VERSION} — use the version "
            "of Lineward that wrote it, or another folder"
        )
    return int(version)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)


def _connect_read_only(path: Path) -> sqlite3.Connection:
    connection = _connect(path, "ro")
    try:
        connection.text_factory = _decode
        show_as_newest(connection, _checked_version(connection, path))
    except BaseException:
        connection.close()
        raise
    return connection


def _opened(engine: Engine, path: Path) -> Connection:
    try:
        return engine.connect()
    except _UNREADABLE as error:
        raise _refusal(path, error) from error


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _driver_connection(connection: Connection) -> sqlite3.Connection:
    """Return SQLite's own connection, which is in autocommit: settings take no transaction."""
    driver: Any = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


def _has_table(connection: sqlite3.Connection, table: str) -> bool:
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    return connection.execute(query, (table,)).fetchone() is not None


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "replace")  # a damaged cell must be read to be named, not end the reading

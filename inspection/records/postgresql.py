"""A plant's PostgreSQL: each station has a schema of its own there, with exactly the tables of its own store."""

from __future__ import annotations

import re

from sqlalchemy import Engine, create_engine, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from inspection.records.errors import RecordStoreError
from inspection.records.upgrade import REVISIONS, SCHEMA_VERSION, stored_version, upgrade

_SCHEMA_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_CONNECT_TIMEOUT_S = 5
_LOCK = 0x4C575244  # of all that make or upgrade a station's schema


def connect_postgresql(url: str, schema: str) -> Engine:
    """Return what gives connections to a station's schema, which need not exist yet; no connection is made here.

    url: as `postgresql://user@host/database`. schema: lower-case letters, digits and underscores. Raises
    RecordStoreError for a URL or a name that cannot be used.
    """
    if not _SCHEMA_NAME.fullmatch(schema):
        raise RecordStoreError(
            f"PostgreSQL schema {schema!r}: no such name can be used — a lower-case letter, then letters, digits and "
            "underscores, 63 at most, are allowed — choose such a name"
        )
    try:
        address = make_url(url).set(drivername="postgresql+psycopg")
    except ArgumentError as error:
        raise RecordStoreError(
            "the PostgreSQL URL cannot be read — postgresql://user@host/database is its form — mend it"
        ) from error
    try:
        return create_engine(
            address,
            connect_args={"options": f"-c search_path={schema}", "connect_timeout": _CONNECT_TIMEOUT_S},
            pool_pre_ping=True,
            hide_parameters=True,
        )
    except ImportError as error:
        raise RecordStoreError(
            f"PostgreSQL: its driver is not installed: {error} — psycopg is needed — pip install lineward[postgresql]"
        ) from error


def prepare_postgresql(database: Engine, schema: str) -> None:
    """Make or upgrade a station's tables, in one transaction. Raises RecordStoreError for a newer one, or when the
    database refuses, and OperationalError when it cannot be reached.
    """
    try:
        with database.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            if not inspect(connection).has_schema(schema):  # IF NOT EXISTS asks for the right to make one even then
                connection.execute(text(f'CREATE SCHEMA "{schema}"'))
            version = stored_version(connection)
            if version is None:
                raise RecordStoreError(
                    f"PostgreSQL schema {schema}: is of a newer version — this program knows versions up to "
                    f"{REVISIONS[-1]} — use the version of Lineward that wrote it, or another schema"
                )
            if version < SCHEMA_VERSION:
                upgrade(connection)
    except OperationalError:
        raise
    except DBAPIError as error:
        raise RecordStoreError(
            f"PostgreSQL schema {schema}: cannot be made or upgraded: {error.orig} — a user that may create a schema "
            "is needed — give it that right, or make the schema for it"
        ) from error

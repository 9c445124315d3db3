"""Bringing a database to the newest version of the schema, inside the caller's transaction."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

REVISIONS = ("0001", "0002")
SCHEMA_VERSION = len(REVISIONS)
VERSION_TABLE = "alembic_version"
_SCRIPTS = Path(__file__).parent / "migrations"


def stored_version(connection: Connection) -> int | None:
    """Return the version that Alembic noted: 0 for none, None for one that this program does not know."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return 0
    found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalars().all()
    if not found:
        return 0
    return REVISIONS.index(found[0]) + 1 if len(found) == 1 and found[0] in REVISIONS else None


def upgrade(connection: Connection, taken_over: int = 0, target: str = "head") -> None:
    """Make or upgrade every table; `taken_over`: the version of tables that were made before Alembic noted it."""
    from alembic import command  # only here: an up-to-date store is opened without the 0.2 s that this takes
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    if taken_over:
        _note(connection, REVISIONS[taken_over - 1])
    command.upgrade(config, target)


def _note(connection: Connection, revision: str) -> None:
    connection.execute(
        text(
            f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL, "
            f"CONSTRAINT {VERSION_TABLE}_pkc PRIMARY KEY (version_num))"
        )
    )
    connection.execute(text(f"INSERT INTO {VERSION_TABLE} VALUES (:revision)"), {"revision": revision})

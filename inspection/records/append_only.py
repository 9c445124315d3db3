"""Triggers that let a table only grow: the database itself refuses to change or remove a row."""

from __future__ import annotations

from sqlalchemy import Connection

_FUNCTION = """
CREATE OR REPLACE FUNCTION lineward_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%% are append-only: %% is refused', TG_TABLE_NAME, lower(TG_OP)
        USING ERRCODE = 'restrict_violation';
END $$
"""


def make_append_only(connection: Connection, table: str) -> None:
    """Refuse UPDATE and DELETE of a table's rows (on PostgreSQL TRUNCATE, too), inside the caller's transaction."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_FUNCTION)
        for level, events in (("ROW", "UPDATE OR DELETE"), ("STATEMENT", "TRUNCATE")):
            connection.exec_driver_sql(
                f"CREATE OR REPLACE TRIGGER {table}_append_only_{level.lower()} BEFORE {events} ON {table} "
                f"FOR EACH {level} EXECUTE FUNCTION lineward_append_only()"
            )
        return
    for verb in ("update", "delete"):
        connection.exec_driver_sql(
            f"CREATE TRIGGER IF NOT EXISTS {table}_no_{verb} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} are append-only: {verb} is refused'); END"
        )

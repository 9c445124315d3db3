"""Lots, serial numbers, the ejector's command and the batch of each record; recipes of runs; what is searched for.

Challenges and the book of entries get their tables here where a store of the first version had none.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from inspection.records.append_only import make_append_only

revision, down_revision, branch_labels, depends_on = "0002", "0001", None, None

NUMBER: sa.types.TypeEngine[Any] = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text()
RUN_TEXTS = ("recipe", "recipe_hash", "thresholds_hash", "camera_settings_hash", "provider")
AT = ("trigger_wall_ns", "sequence")
INDEXES: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("records_by_time", AT, ""),
    ("records_by_run", ("run_id", *AT), ""),
    ("records_by_lot", ("lot", *AT), "lot <> ''"),
    ("records_by_serial", ("serial", *AT), "serial <> ''"),
    ("records_by_reason", ("reason", *AT), "reason <> 'NONE'"),
    ("records_by_defect", ("defect_class", *AT), "verdict = 'REJECT' AND defect_class <> ''"),
    ("records_rejected", AT, "verdict = 'REJECT'"),
    ("records_by_score", ("CAST(score * 64 AS INTEGER)", *AT, "score"), "score >= 0 AND score <= 1"),
)


def upgrade() -> None:
    """Add columns (records of earlier runs keep their hashes: those cover the old ones), tables and indexes."""
    for name in RUN_TEXTS:
        op.add_column("runs", sa.Column(name, TEXT, nullable=False, server_default=""))
    op.add_column("runs", sa.Column("format", NUMBER, nullable=False, server_default="1"))
    for name, default in (("lot", ""), ("serial", ""), ("ejector_command", ""), ("batches", "[]")):
        op.add_column("records", sa.Column(name, TEXT, nullable=False, server_default=default))
    op.add_column("records", sa.Column("ejector_due_host_ns", NUMBER))
    op.drop_index("records_rejected", "records")
    for name, columns, where in INDEXES:
        _index(name, "records", columns, where)
    existing = sa.inspect(op.get_bind()).get_table_names()
    if "challenges" not in existing:
        _make_challenges()
    if "entries" not in existing:
        _make_entries()
    _index("entries_by_reviewer", "entries", ("who", f"CAST(subject AS {_NUMBERS[_dialect()]})", "sequence"), _REVIEWS)
    for table in ("challenges", "entries"):
        make_append_only(op.get_bind(), table)


_NUMBERS = {"sqlite": "INTEGER", "postgresql": "BIGINT"}
_REVIEWS = "kind = 'REVIEW'"


def _make_challenges() -> None:
    texts = ("run", "bundle_digest", "config_hash", "operator")
    op.create_table(
        "challenges",
        sa.Column("sequence", NUMBER, primary_key=True, autoincrement=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("challenge", TEXT, nullable=False),
        sa.Column("wall_ns", NUMBER, nullable=False),
        *(sa.Column(name, TEXT, nullable=False) for name in texts),
        sa.Column("parts", NUMBER, nullable=False),
        *(sa.Column(name, TEXT, nullable=False) for name in ("outcome", "ending", "findings")),
        *_end(),
        sa.UniqueConstraint("challenge", "kind"),
    )


def _make_entries() -> None:
    op.create_table(
        "entries",
        sa.Column("sequence", NUMBER, primary_key=True, autoincrement=False),
        *(sa.Column(name, TEXT, nullable=False) for name in ("kind", "subject", "who")),
        sa.Column("wall_ns", NUMBER, nullable=False),
        sa.Column("content", TEXT, nullable=False),
        *_end(),
    )
    op.create_index("entries_by_subject", "entries", ["kind", "subject", "sequence"])
    op.create_index("entries_by_who", "entries", ["who", "sequence"])


def _end() -> list[sa.Column[object]]:
    return [
        sa.Column("record_sequence", NUMBER, nullable=False),
        sa.Column("record_hash", TEXT, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
    ]


def _index(name: str, table: str, columns: tuple[str, ...], where: str) -> None:
    places = [sa.text(f"({column})") if "(" in column else column for column in columns]
    partial: dict[str, Any] = {"sqlite_where": sa.text(where), "postgresql_where": sa.text(where)} if where else {}
    op.create_index(name, table, places, **partial)


def _dialect() -> str:
    return op.get_bind().dialect.name

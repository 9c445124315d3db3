"""Runs, records and the marks of removed images: the layout of the first version."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from inspection.records.append_only import make_append_only

revision, down_revision, branch_labels, depends_on = "0001", None, None, None

NUMBER: sa.types.TypeEngine[Any] = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
REAL: sa.types.TypeEngine[Any] = sa.Double().with_variant(sa.REAL(), "sqlite")
TEXT = sa.Text()
RUN_TEXTS = ("station", "model", "bundle_digest", "config_hash")
RESULT = (
    ("part", NUMBER, False),
    ("verdict", TEXT, False),
    ("evaluation", TEXT, False),
    ("reason", TEXT, False),
    ("score", REAL, True),
    ("threshold", REAL, True),
    ("defect_class", TEXT, False),
    ("raw_scores", TEXT, False),
    ("ejector_action", TEXT, False),
    ("by_default", NUMBER, False),
    ("written_host_ns", NUMBER, True),
    ("lateness_us", NUMBER, True),
    ("trigger_host_ns", NUMBER, False),
    ("frame_host_ns", NUMBER, False),
    ("batch_host_ns", NUMBER, False),
    ("scored_host_ns", NUMBER, False),
    ("decided_host_ns", NUMBER, False),
    ("due_host_ns", NUMBER, False),
    ("deadline_host_ns", NUMBER, False),
    ("trigger_wall_ns", NUMBER, False),
    ("latency_us", NUMBER, True),
    ("frame_counter", NUMBER, True),
    ("device_ns", NUMBER, True),
    ("lost_before", NUMBER, False),
    ("pixel_format", TEXT, False),
    ("truth", TEXT, False),
    ("extra", TEXT, False),
    ("image_state", TEXT, False),
    ("image_file", TEXT, False),
    ("image_sha256", TEXT, False),
    ("image_bytes", NUMBER, False),
)


def upgrade() -> None:
    """Make the tables of an empty database."""
    op.create_table(
        "runs",
        sa.Column("run_id", NUMBER, primary_key=True, autoincrement=False),
        sa.Column("run", TEXT, nullable=False, unique=True),
        *(sa.Column(name, TEXT, nullable=False) for name in RUN_TEXTS),
        sa.Column("started_wall_ns", NUMBER, nullable=False),
        sa.Column("started_host_ns", NUMBER, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "records",
        sa.Column("sequence", NUMBER, primary_key=True, autoincrement=False),
        sa.Column("run_id", NUMBER, sa.ForeignKey("runs.run_id"), nullable=False),
        *(sa.Column(name, kind, nullable=nullable) for name, kind, nullable in RESULT),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("run_id", "part"),
    )
    op.create_table(
        "removed_images",
        sa.Column("sequence", NUMBER, sa.ForeignKey("records.sequence"), primary_key=True, autoincrement=False),
        sa.Column("verdict", TEXT, nullable=False),
        sa.Column("removed_wall_ns", NUMBER, nullable=False),
    )
    _index("records_kept_images", "records", ["verdict", "sequence", "image_bytes"], "image_bytes > 0")
    _index("records_rejected", "records", ["sequence"], "verdict = 'REJECT'")
    op.create_index("removed_images_by_verdict", "removed_images", ["verdict", "sequence"])
    for table in ("runs", "records", "removed_images"):
        make_append_only(op.get_bind(), table)


def _index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))

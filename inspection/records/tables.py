"""The tables of a record store, one schema for SQLite and PostgreSQL; `migrations` makes them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    cast,
    literal_column,
    text,
)
from sqlalchemy.types import REAL, TypeEngine

from inspection.records.record import CONTENT_COLUMNS
from inspection.records.side_columns import CHALLENGE_COLUMNS, ENTRY_COLUMNS

REJECTED_FOR_A_DEFECT = "verdict = 'REJECT' AND defect_class <> ''"
SCORED = "score >= 0 AND score <= 1"
SCORE_BUCKETS = 64
"""The index of scores has one place for each 64th: within one the records lie newest last."""


class Digest(LargeBinary):
    """A hash as the driver gives it: a damaged cell must be read to be named, not end the reading."""

    cache_ok = True

    def result_processor(self, dialect: Any, coltype: Any) -> None:
        """Leave what comes as it is."""


NUMBER: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")
REAL_NUMBER: TypeEngine[Any] = Double().with_variant(REAL(), "sqlite")
_TYPES: dict[str, TypeEngine[Any]] = {"INTEGER": NUMBER, "TEXT": Text(), "REAL": REAL_NUMBER}

METADATA = MetaData()


def _columns(kinds: tuple[tuple[str, str], ...]) -> list[Column[Any]]:
    return [Column(name, _TYPES[kind.split()[0]], nullable="NOT NULL" not in kind) for name, kind in kinds]


def _number(name: str = "sequence") -> Column[int]:
    return Column(name, NUMBER, primary_key=True, autoincrement=False)


RUNS = Table(
    "runs",
    METADATA,
    _number("run_id"),
    Column("run", Text, nullable=False, unique=True),
    *_columns(
        (
            ("station", "TEXT NOT NULL"),
            ("model", "TEXT NOT NULL"),
            ("bundle_digest", "TEXT NOT NULL"),
            ("config_hash", "TEXT NOT NULL"),
            ("started_wall_ns", "INTEGER NOT NULL"),
            ("started_host_ns", "INTEGER NOT NULL"),
            ("recipe", "TEXT NOT NULL"),
            ("recipe_hash", "TEXT NOT NULL"),
            ("thresholds_hash", "TEXT NOT NULL"),
            ("camera_settings_hash", "TEXT NOT NULL"),
            ("provider", "TEXT NOT NULL"),
            ("format", "INTEGER NOT NULL"),
        )
    ),
    Column("hash", Digest, nullable=False),
)
RUN_COLUMNS = [column for column in RUNS.c if column.name not in ("run_id", "hash")]

RECORDS = Table(
    "records",
    METADATA,
    _number(),
    Column("run_id", NUMBER, ForeignKey("runs.run_id"), nullable=False),
    *_columns(CONTENT_COLUMNS),
    Column("hash", Digest, nullable=False),
    UniqueConstraint("run_id", "part"),
)
CONTENT = [RECORDS.c[name] for name, _ in CONTENT_COLUMNS]
SCORE_BUCKET: ColumnElement[int] = cast(RECORDS.c.score * literal_column(str(SCORE_BUCKETS)), Integer)

REMOVED_IMAGES = Table(
    "removed_images",
    METADATA,
    Column("sequence", NUMBER, ForeignKey("records.sequence"), primary_key=True, autoincrement=False),
    *_columns((("verdict", "TEXT NOT NULL"), ("removed_wall_ns", "INTEGER NOT NULL"))),
)
_ANCHOR = (("record_sequence", "INTEGER NOT NULL"), ("record_hash", "TEXT NOT NULL"))
CHALLENGES_TABLE = Table(
    "challenges",
    METADATA,
    _number(),
    *_columns(CHALLENGE_COLUMNS + _ANCHOR),
    Column("hash", Digest, nullable=False),
    UniqueConstraint("challenge", "kind"),
)
ENTRIES_TABLE = Table(
    "entries", METADATA, _number(), *_columns(ENTRY_COLUMNS + _ANCHOR), Column("hash", Digest, nullable=False)
)
REVIEWED_RECORD: ColumnElement[int] = cast(ENTRIES_TABLE.c.subject, NUMBER)


def _index(name: str, *columns: Any, where: str = "") -> None:
    Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where)) if where else Index(name, *columns)


_R, _E = RECORDS.c, ENTRIES_TABLE.c
_AT = (_R.trigger_wall_ns, _R.sequence)  # the order in which everything is searched: the newest trigger first
_index("records_kept_images", _R.verdict, _R.sequence, _R.image_bytes, where="image_bytes > 0")
_index("records_by_time", *_AT)
_index("records_by_run", _R.run_id, *_AT)
_index("records_by_lot", _R.lot, *_AT, where="lot <> ''")
_index("records_by_serial", _R.serial, *_AT, where="serial <> ''")
_index("records_by_reason", _R.reason, *_AT, where="reason <> 'NONE'")
_index("records_by_defect", _R.defect_class, *_AT, where=REJECTED_FOR_A_DEFECT)
_index("records_rejected", *_AT, where="verdict = 'REJECT'")
_index("records_by_score", SCORE_BUCKET, *_AT, _R.score, where=SCORED)
_index("removed_images_by_verdict", REMOVED_IMAGES.c.verdict, REMOVED_IMAGES.c.sequence)
_index("entries_by_subject", _E.kind, _E.subject, _E.sequence)
_index("entries_by_who", _E.who, _E.sequence)
_index("entries_by_reviewer", _E.who, REVIEWED_RECORD, _E.sequence, where="kind = 'REVIEW'")

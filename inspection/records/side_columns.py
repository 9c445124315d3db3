"""The columns of the tables beside the records, between their number and their anchor: name and kind."""

from __future__ import annotations

CHALLENGE_COLUMNS: tuple[tuple[str, str], ...] = (
    ("kind", "TEXT NOT NULL"),
    ("challenge", "TEXT NOT NULL"),
    ("wall_ns", "INTEGER NOT NULL"),
    ("run", "TEXT NOT NULL"),
    ("bundle_digest", "TEXT NOT NULL"),
    ("config_hash", "TEXT NOT NULL"),
    ("operator", "TEXT NOT NULL"),
    ("parts", "INTEGER NOT NULL"),
    ("outcome", "TEXT NOT NULL"),
    ("ending", "TEXT NOT NULL"),
    ("findings", "TEXT NOT NULL"),
)
ENTRY_COLUMNS: tuple[tuple[str, str], ...] = (
    ("kind", "TEXT NOT NULL"),
    ("subject", "TEXT NOT NULL"),
    ("who", "TEXT NOT NULL"),
    ("wall_ns", "INTEGER NOT NULL"),
    ("content", "TEXT NOT NULL"),
)

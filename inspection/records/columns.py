"""The columns that hashes cover, by name and kind, in the order in which they are hashed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

RESULT_COLUMNS: tuple[tuple[str, str], ...] = (
    ("part", "INTEGER NOT NULL"),
    ("verdict", "TEXT NOT NULL"),
    ("evaluation", "TEXT NOT NULL"),
    ("reason", "TEXT NOT NULL"),
    ("score", "REAL"),
    ("threshold", "REAL"),
    ("defect_class", "TEXT NOT NULL"),
    ("raw_scores", "TEXT NOT NULL"),
    ("ejector_action", "TEXT NOT NULL"),
    ("by_default", "INTEGER NOT NULL"),
    ("written_host_ns", "INTEGER"),
    ("lateness_us", "INTEGER"),
    ("trigger_host_ns", "INTEGER NOT NULL"),
    ("frame_host_ns", "INTEGER NOT NULL"),
    ("batch_host_ns", "INTEGER NOT NULL"),
    ("scored_host_ns", "INTEGER NOT NULL"),
    ("decided_host_ns", "INTEGER NOT NULL"),
    ("due_host_ns", "INTEGER NOT NULL"),
    ("deadline_host_ns", "INTEGER NOT NULL"),
    ("trigger_wall_ns", "INTEGER NOT NULL"),
    ("latency_us", "INTEGER"),
    ("frame_counter", "INTEGER"),
    ("device_ns", "INTEGER"),
    ("lost_before", "INTEGER NOT NULL"),
    ("pixel_format", "TEXT NOT NULL"),
    ("truth", "TEXT NOT NULL"),
    ("extra", "TEXT NOT NULL"),
)
ADDED_COLUMNS: tuple[tuple[str, str], ...] = (  # since format 2
    ("lot", "TEXT NOT NULL"),
    ("serial", "TEXT NOT NULL"),
    ("ejector_command", "TEXT NOT NULL"),
    ("ejector_due_host_ns", "INTEGER"),
    ("batches", "TEXT NOT NULL"),
)
IMAGE_COLUMNS: tuple[tuple[str, str], ...] = (
    ("image_state", "TEXT NOT NULL"),
    ("image_file", "TEXT NOT NULL"),
    ("image_sha256", "TEXT NOT NULL"),
    ("image_bytes", "INTEGER NOT NULL"),
)
CONTENT_COLUMNS = RESULT_COLUMNS + ADDED_COLUMNS + IMAGE_COLUMNS
CONTENT_NAMES = tuple(name for name, _ in CONTENT_COLUMNS)
FORMAT = 2
"""Which content the hash of a record covers; each run says its own: 1 has no `ADDED_COLUMNS`."""

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


def hashed_content(content: Sequence[Any], record_format: int) -> Sequence[Any]:
    """Return what the hash covers of a record's content, by the format of its run."""
    if record_format >= FORMAT:
        return content
    return (*content[: len(RESULT_COLUMNS)], *content[-len(IMAGE_COLUMNS) :])

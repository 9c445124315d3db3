"""A record store as the first version of Lineward wrote it: its layout and its hashes, independent of today's code."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path

_RESULT = (
    "part INTEGER NOT NULL, verdict TEXT NOT NULL, evaluation TEXT NOT NULL, reason TEXT NOT NULL, score REAL, "
    "threshold REAL, defect_class TEXT NOT NULL, raw_scores TEXT NOT NULL, ejector_action TEXT NOT NULL, "
    "by_default INTEGER NOT NULL, written_host_ns INTEGER, lateness_us INTEGER, trigger_host_ns INTEGER NOT NULL, "
    "frame_host_ns INTEGER NOT NULL, batch_host_ns INTEGER NOT NULL, scored_host_ns INTEGER NOT NULL, "
    "decided_host_ns INTEGER NOT NULL, due_host_ns INTEGER NOT NULL, deadline_host_ns INTEGER NOT NULL, "
    "trigger_wall_ns INTEGER NOT NULL, latency_us INTEGER, frame_counter INTEGER, device_ns INTEGER, "
    "lost_before INTEGER NOT NULL, pixel_format TEXT NOT NULL, truth TEXT NOT NULL, extra TEXT NOT NULL, "
    "image_state TEXT NOT NULL, image_file TEXT NOT NULL, image_sha256 TEXT NOT NULL, image_bytes INTEGER NOT NULL"
)
_SCHEMA = f"""
CREATE TABLE runs (run_id INTEGER PRIMARY KEY, run TEXT NOT NULL UNIQUE, station TEXT NOT NULL, model TEXT NOT NULL,
    bundle_digest TEXT NOT NULL, config_hash TEXT NOT NULL, started_wall_ns INTEGER NOT NULL,
    started_host_ns INTEGER NOT NULL, hash BLOB NOT NULL);
CREATE TABLE records (sequence INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs (run_id), {_RESULT},
    hash BLOB NOT NULL, UNIQUE (run_id, part));
CREATE TABLE removed_images (sequence INTEGER PRIMARY KEY REFERENCES records (sequence), verdict TEXT NOT NULL,
    removed_wall_ns INTEGER NOT NULL);
CREATE INDEX records_kept_images ON records (verdict, sequence, image_bytes) WHERE image_bytes > 0;
CREATE INDEX records_rejected ON records (sequence) WHERE verdict = 'REJECT';
CREATE INDEX removed_images_by_verdict ON removed_images (verdict, sequence);
PRAGMA application_id = {0x4C575244};
PRAGMA user_version = 1;
"""
_CHALLENGES = """
CREATE TABLE challenges (sequence INTEGER PRIMARY KEY, kind TEXT NOT NULL, challenge TEXT NOT NULL,
    wall_ns INTEGER NOT NULL, run TEXT NOT NULL, bundle_digest TEXT NOT NULL, config_hash TEXT NOT NULL,
    operator TEXT NOT NULL, parts INTEGER NOT NULL, outcome TEXT NOT NULL, ending TEXT NOT NULL,
    findings TEXT NOT NULL, record_sequence INTEGER NOT NULL, record_hash TEXT NOT NULL, hash BLOB NOT NULL,
    UNIQUE (challenge, kind));
"""
RUN = ("old run", "station 1", "parts", "b" * 64, "c" * 64, 1_700_000_000_000_000_000, 5)
RECORDS = 300


def write_first_version(folder: Path, *, with_challenges: bool) -> None:
    """Write a store with one run of 300 records, every tenth rejected; with triggers, head and challenges as then."""
    with closing(sqlite3.connect(folder / "records.sqlite", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(_SCHEMA + (_CHALLENGES if with_challenges else ""))
        tables = ("runs", "records", "removed_images", *(("challenges",) if with_challenges else ()))
        for table, verb in ((table, verb) for table in tables for verb in ("update", "delete")):
            connection.execute(
                f"CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} are append-only: {verb} is refused'); END"
            )
        run_hash = hashlib.sha256(_json(RUN)).digest()
        connection.execute(f"INSERT INTO runs VALUES ({_marks(9)})", (1, *RUN, run_hash))
        digest = bytes(32)
        connection.execute("BEGIN")
        for sequence in range(1, RECORDS + 1):
            content = _content(sequence)
            digest = hashlib.sha256(digest + _json((sequence, run_hash.hex(), *content))).digest()
            connection.execute(f"INSERT INTO records VALUES ({_marks(34)})", (sequence, 1, *content, digest))
        connection.execute("COMMIT")
    _write_head(folder, digest)


def _content(part: int) -> tuple[object, ...]:
    judged = ("PASS", "OK", "NONE", 0.125) if part % 10 else ("REJECT", "NOT_OK", "MODEL", 0.875)
    moments = tuple(part * 1000 + step for step in range(7))
    decided = (*judged, 0.5, "scratch", "[0.25,-1.5]", "RELEASED", 0, None, None)
    frame = (12, part, 7 * part, 0, "Mono8", "good", '{"note":"\u00e9"}', "NO_IMAGE", "", "", 0)
    return (part, *decided, *moments, RUN[5] + part * 1000 - RUN[6], *frame)


def _json(cells: tuple[object, ...]) -> bytes:
    return json.dumps(cells, separators=(",", ":")).encode()


def _marks(count: int) -> str:
    return ", ".join("?" * count)


def _write_head(folder: Path, digest: bytes) -> None:
    body = f"{RECORDS} {digest.hex()}"
    slot = f"{body} {zlib.crc32(body.encode()):08x}".ljust(127).encode() + b"\n"
    (folder / "records.head").write_bytes(slot + b"\n" * 128)

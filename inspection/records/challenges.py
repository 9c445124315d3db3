"""Challenges in the record store: an append-only table with a hash chain of its own, anchored in the records' chain.

Each challenge is two entries: BEGUN, durable before the first part is marked, and ENDED, with outcome and findings. An
entry's hash is sha256(hash of the entry before it ‖ JSON of its content); the content names the newest record of that
moment, so that neither chain can be rewritten without the other.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from inspection.records.chain import GENESIS, ChainHead

CHALLENGES_HEAD_FILE = "challenges.head"
_TRIGGERS = "\n".join(
    f"CREATE TRIGGER IF NOT EXISTS challenges_no_{verb} BEFORE {verb} ON challenges "
    f"BEGIN SELECT RAISE(ABORT, 'challenges are append-only: {verb} is refused'); END;"
    for verb in ("update", "delete")
)
CHALLENGES_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS challenges (
    sequence INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    challenge TEXT NOT NULL,
    wall_ns INTEGER NOT NULL,
    run TEXT NOT NULL,
    bundle_digest TEXT NOT NULL,
    config_hash TEXT NOT NULL,
    operator TEXT NOT NULL,
    parts INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    ending TEXT NOT NULL,
    findings TEXT NOT NULL,
    record_sequence INTEGER NOT NULL,
    record_hash TEXT NOT NULL,
    hash BLOB NOT NULL,
    UNIQUE (challenge, kind)
);
{_TRIGGERS}
"""
_COLUMNS = (
    "kind, challenge, wall_ns, run, bundle_digest, config_hash, operator, parts, outcome, ending, findings, "
    "record_sequence, record_hash"
)
_SELECT = f"SELECT sequence, {_COLUMNS}, hash FROM challenges"
_INSERT = f"INSERT INTO challenges (sequence, {_COLUMNS}, hash) VALUES ({', '.join('?' * 15)})"


class EntryKind(StrEnum):
    """The two things that are written down about a challenge."""

    BEGUN = "BEGUN"
    ENDED = "ENDED"


class Outcome(StrEnum):
    """How a challenge ended."""

    PASSED = "PASSED"  # every part was ejected
    FAILED = "FAILED"  # at least one was not
    ABORTED = "ABORTED"  # it ended early, and no part had failed by then


class Ending(StrEnum):
    """Why a challenge ended."""

    COMPLETE = "COMPLETE"  # every part has its record
    CANCELLED = "CANCELLED"  # an operator gave it up
    TIMED_OUT = "TIMED_OUT"  # not all parts came in time
    LINE_STOPPED = "LINE_STOPPED"  # the line was stopped in the middle
    STATION_ENDED = "STATION_ENDED"  # the station was killed or lost its power in the middle


@dataclass(frozen=True, slots=True)
class ChallengeEntry:
    """One entry as it is to be written; outcome, ending and findings are empty for BEGUN."""

    kind: EntryKind
    challenge: str
    wall_ns: int
    run: str
    bundle_digest: str
    config_hash: str
    operator: str
    parts: int
    outcome: Outcome | None = None
    ending: Ending | None = None
    findings: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class StoredChallenge:
    """One durable entry with its place in the chain and the newest record of that moment."""

    sequence: int
    entry: ChallengeEntry
    record_sequence: int
    record_hash: str
    hash: str


def entry_cells(entry: ChallengeEntry, records: ChainHead) -> tuple[Any, ...]:
    """Return an entry's cells in the order of the table, between sequence and hash."""
    return (
        entry.kind.value,
        entry.challenge,
        entry.wall_ns,
        entry.run,
        entry.bundle_digest,
        entry.config_hash,
        entry.operator,
        entry.parts,
        "" if entry.outcome is None else entry.outcome.value,
        "" if entry.ending is None else entry.ending.value,
        json.dumps([dict(finding) for finding in entry.findings], separators=(",", ":")),
        records.sequence,
        records.hash.hex(),
    )


def entry_hash(previous: bytes, sequence: int, cells: tuple[Any, ...]) -> bytes:
    """Return sha256(previous ‖ JSON of [sequence, cells…]); JSON without blanks, ASCII only."""
    text = json.dumps([sequence, *cells], separators=(",", ":"), default=repr)
    return hashlib.sha256(previous + text.encode()).digest()


def append_entry(connection: sqlite3.Connection, entry: ChallengeEntry, records: ChainHead) -> ChainHead:
    """Append an entry inside the caller's transaction and return the chain's new head. Raises sqlite3.Error."""
    head = stored_head(connection)
    cells = entry_cells(entry, records)
    digest = entry_hash(head.hash, head.sequence + 1, cells)
    connection.execute(_INSERT, (head.sequence + 1, *cells, digest))
    return ChainHead(head.sequence + 1, digest)


def stored_head(connection: sqlite3.Connection) -> ChainHead:
    """Return the newest entry's number and hash; sequence 0 where there is none."""
    if not has_table(connection):
        return ChainHead(0, GENESIS)
    row = connection.execute("SELECT sequence, hash FROM challenges ORDER BY sequence DESC LIMIT 1").fetchone()
    return ChainHead(0, GENESIS) if row is None else ChainHead(row[0], row[1])


def has_table(connection: sqlite3.Connection) -> bool:
    """Return whether the store knows challenges: one that an older version wrote does not, until it is written to."""
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'challenges'"
    return connection.execute(query).fetchone() is not None


def read_entries(connection: sqlite3.Connection, limit: int) -> list[StoredChallenge]:
    """Return the newest entries, newest first. Raises ValueError when one cannot be read."""
    if not has_table(connection):
        return []
    rows = connection.execute(f"{_SELECT} ORDER BY sequence DESC LIMIT ?", (limit,)).fetchall()
    return [_stored(row) for row in rows]


def raw_entries(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
    """Return every row as it is, oldest first: sequence, cells…, hash."""
    return connection.execute(f"{_SELECT} ORDER BY sequence").fetchall() if has_table(connection) else []


def _stored(row: tuple[Any, ...]) -> StoredChallenge:
    sequence, kind, challenge, wall_ns, run, bundle, config, operator, parts, outcome, ending, findings, *rest = row
    record_sequence, record_hash, digest = rest
    entry = ChallengeEntry(
        EntryKind(kind),
        challenge,
        wall_ns,
        run,
        bundle,
        config,
        operator,
        parts,
        Outcome(outcome) if outcome else None,
        Ending(ending) if ending else None,
        tuple(json.loads(findings)),
    )
    return StoredChallenge(sequence, entry, record_sequence, record_hash, digest.hex())

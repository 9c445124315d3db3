"""Challenges in the record store: each is two entries of a chain of their own.

BEGUN is durable before the first part is marked; ENDED has the outcome and the findings.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, select

from inspection.records.side_chain import SideChain
from inspection.records.tables import CHALLENGES_TABLE

CHALLENGES_HEAD_FILE = "challenges.head"
CHALLENGES = SideChain(CHALLENGES_TABLE, "about challenges", CHALLENGES_HEAD_FILE)


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


def entry_cells(entry: ChallengeEntry) -> tuple[Any, ...]:
    """Return an entry's cells in the order of `CHALLENGE_COLUMNS`."""
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
    )


def read_challenges(connection: Connection, limit: int) -> list[StoredChallenge]:
    """Return the newest entries, newest first. Raises ValueError when one cannot be read."""
    newest = select(CHALLENGES_TABLE).order_by(CHALLENGES_TABLE.c.sequence.desc()).limit(limit)
    return [_stored(tuple(row)) for row in connection.execute(newest)]


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

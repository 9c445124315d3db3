"""Checking the challenges of a store: their chain, its anchors in the records, and each finding by its record."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from inspection.challenge import EXTRA_KEY
from inspection.challenge.findings import Proof, proof_of
from inspection.records.chain import GENESIS, ChainHead, read_head
from inspection.records.challenges import (
    CHALLENGES_HEAD_FILE,
    EntryKind,
    Outcome,
    entry_hash,
    raw_entries,
)
from inspection.records.errors import RecordsError
from inspection.records.reader import RecordReader

_KIND, _CHALLENGE, _PARTS, _OUTCOME, _FINDINGS, _RECORD, _RECORD_HASH = 1, 2, 8, 9, 11, 12, 13


def challenges_head(directory: Path) -> ChainHead | None:
    """Return the head that the side file remembers; read it before the store, which may move on meanwhile."""
    return read_head(directory, CHALLENGES_HEAD_FILE)


class ChallengeCheck:
    """One walk along the challenges; lives for one call of `verify`. `add` gets each problem in words."""

    def __init__(self, directory: Path, connection: sqlite3.Connection, add: Callable[[str], None]) -> None:
        self._directory, self._connection, self._add = directory, connection, add
        self._begun: set[str] = set()
        self._sequence = 0
        self._hash = GENESIS
        self._hashes: dict[int, bytes] = {}

    def run(self, head: ChainHead | None) -> int:
        """Check everything and return how many challenges there are."""
        reader = RecordReader(self._directory)
        try:
            for row in raw_entries(self._connection):
                self._check_link(row)
                self._check_entry(row, reader)
        finally:
            reader.close()
        self._compare_head(head)
        self._check_marked_records()
        return len(self._begun)

    def _check_link(self, row: tuple[Any, ...]) -> None:
        sequence, *cells, stored = row
        if sequence != self._sequence + 1:
            self._add(f"entries {self._sequence + 1} to {sequence - 1} about challenges are missing")
        elif entry_hash(self._hash, sequence, tuple(cells)) != stored:
            self._add(
                f"entry {sequence} about challenge {row[_CHALLENGE]} was changed, or does not follow its forerunner"
            )
        self._sequence, self._hash = sequence, stored if isinstance(stored, bytes) else b""
        self._hashes[sequence] = self._hash

    def _check_entry(self, row: tuple[Any, ...], reader: RecordReader) -> None:
        name = f"challenge {row[_CHALLENGE]}"
        if row[_RECORD]:
            query = "SELECT hash FROM records WHERE sequence = ?"
            anchor = self._connection.execute(query, (row[_RECORD],)).fetchone()
            if anchor is None or anchor[0].hex() != row[_RECORD_HASH]:
                self._add(f"{name}: record {row[_RECORD]}, the newest one of its time, is not the one that it names")
        if row[_KIND] == EntryKind.BEGUN:
            self._begun.add(row[_CHALLENGE])
            return
        if row[_CHALLENGE] not in self._begun:
            self._add(f"{name}: has an end, but no beginning")
        try:
            findings = json.loads(row[_FINDINGS])
            proofs = [self._check_finding(name, row[_CHALLENGE], finding, reader) for finding in findings]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            self._add(f"{name}: its findings cannot be read: {error}")
            return
        has_failed = any(proof != Proof.EJECTED for proof in proofs)
        is_whole = len(proofs) == row[_PARTS] and not has_failed
        if has_failed != (row[_OUTCOME] == Outcome.FAILED) or (row[_OUTCOME] == Outcome.PASSED and not is_whole):
            self._add(f"{name}: {row[_OUTCOME]} is not what its findings say")

    def _check_finding(self, name: str, challenge: str, finding: Mapping[str, Any], reader: RecordReader) -> str:
        where = f"{name}: part {finding['part']} (record {finding['sequence']})"
        try:
            record = reader.get(finding["sequence"])
        except RecordsError as error:
            self._add(f"{where}: {error}")
            return ""
        if record.record_hash != finding["record_hash"] or record.extra.get(EXTRA_KEY) != challenge:
            self._add(f"{where} is not a record of this challenge")
        elif proof_of(record) != finding["proof"]:
            self._add(f"{where}: the record says {proof_of(record)}, the challenge {finding['proof']}")
        return str(finding["proof"])

    def _compare_head(self, head: ChainHead | None) -> None:
        if head is None:
            if self._sequence:
                self._add(
                    f"{CHALLENGES_HEAD_FILE} is missing or unreadable: whether entries were removed cannot be told"
                )
        elif head.sequence > self._sequence:
            self._add(f"entries {self._sequence + 1} to {head.sequence} about challenges are missing")
        elif head.sequence and self._hashes[head.sequence] != head.hash:
            self._add(f"entry {head.sequence} about challenges is not the one that {CHALLENGES_HEAD_FILE} remembers")

    def _check_marked_records(self) -> None:
        """Look for parts of a challenge that is not there; records first, since a running station may begin another."""
        marked = self._connection.execute(
            "SELECT json_extract(extra, ?), min(sequence) FROM records WHERE extra LIKE ? AND json_valid(extra) "
            "GROUP BY 1",
            (f"$.{EXTRA_KEY}", f'%"{EXTRA_KEY}"%'),
        ).fetchall()
        begun = {row[_CHALLENGE] for row in raw_entries(self._connection) if row[_KIND] == EntryKind.BEGUN}
        for challenge, sequence in marked:
            if challenge is not None and challenge not in begun:
                self._add(f"record {sequence} was laid for challenge {challenge}, which the store does not know")

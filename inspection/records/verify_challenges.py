"""Checking the challenges of a store: their chain, its anchors in the records, and each finding by its record."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, select

from inspection.challenge import EXTRA_KEY
from inspection.challenge.findings import Proof, proof_of
from inspection.records.chain import ChainHead
from inspection.records.challenges import CHALLENGES, EntryKind, Outcome
from inspection.records.errors import RecordsError
from inspection.records.reader import RecordReader
from inspection.records.tables import RECORDS
from inspection.records.verify_side import SideCheck

_KIND, _CHALLENGE, _PARTS, _OUTCOME, _FINDINGS = 1, 2, 8, 9, 11


class ChallengeCheck:
    """One walk along the challenges; lives for one call of `verify`. `add` gets each problem in words."""

    def __init__(
        self,
        directory: Path,
        connection: Connection,
        add: Callable[[str], None],
        head: ChainHead | None,
        database: Engine | None = None,
    ) -> None:
        self._directory, self._connection, self._add = directory, connection, add
        self._database = database
        self._begun: set[str] = set()
        self._chain = SideCheck(CHALLENGES, connection, add, head)

    def run(self) -> int:
        """Check everything and return how many challenges there are."""
        reader = RecordReader(self._directory, self._database)
        try:
            for row in CHALLENGES.rows(self._connection):
                self._chain.check(row)
                self._check_entry(row, reader)
        finally:
            reader.close()
        self._chain.end()
        self._check_marked_records()
        return len(self._begun)

    def _check_entry(self, row: tuple[Any, ...], reader: RecordReader) -> None:
        name = f"challenge {row[_CHALLENGE]}"
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

    def _check_marked_records(self) -> None:
        """Look for parts of a challenge that is not there; records first, since a running station may begin another."""
        marks = select(RECORDS.c.sequence, RECORDS.c.extra).where(RECORDS.c.extra.like(f'%"{EXTRA_KEY}"%'))
        marked = dict[str, int]()
        for sequence, extra in self._connection.execute(marks.order_by(RECORDS.c.sequence)):
            with contextlib.suppress(ValueError, TypeError, AttributeError):  # a damaged cell is named by the chain
                marked.setdefault(json.loads(extra).get(EXTRA_KEY), sequence)
        begun = {row[_CHALLENGE] for row in CHALLENGES.rows(self._connection) if row[_KIND] == EntryKind.BEGUN}
        for challenge, sequence in marked.items():
            if challenge is not None and challenge not in begun:
                self._add(f"record {sequence} was laid for challenge {challenge}, which the store does not know")

"""Challenges in the record store: append-only, chained, tied to the records, and found out when somebody meddles."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from challenged import HERE, RUN, a_result
from first_version_store import write_first_version

from inspection.challenge.findings import find
from inspection.challenge.options import ChallengeOptions
from inspection.challenge.past import ended_entries, settle_unfinished
from inspection.part import EjectorAction
from inspection.records.challenges import CHALLENGES_HEAD_FILE, ChallengeEntry, Ending, EntryKind, Outcome
from inspection.records.errors import RecordLostError, RecordStoreError
from inspection.records.reader import RecordReader
from inspection.records.record import Run
from inspection.records.schema import DATABASE_FILE
from inspection.records.side_chain import entry_hash
from inspection.records.store import BegunRun, RecordStore, make_row
from inspection.records.verify import verify


class Ledger:
    """A store as the interlock sees it: entries go in, everything can be read."""

    def __init__(self, folder: Path) -> None:
        self.store = RecordStore(folder)
        self.run: BegunRun = self.store.begin_run(
            Run(RUN, "station", "parts", HERE.bundle_digest, HERE.config_hash, 7, 0)
        )
        self.reader = RecordReader(folder)
        self.part = 0

    def note_challenge(self, entry: ChallengeEntry) -> None:
        self.store.append_challenge(entry)

    def begin(self, name: str, parts: int = 2) -> ChallengeEntry:
        entry = ChallengeEntry(EntryKind.BEGUN, name, 1, RUN, HERE.bundle_digest, HERE.config_hash, "kim", parts)
        self.note_challenge(entry)
        return entry

    def eject(self, name: str, kind: str = "found", action: EjectorAction = EjectorAction.FIRED) -> None:
        self.part += 1
        self.store.append([make_row(a_result(self.part, name, kind, action), self.run)])

    def end(self, begun: ChallengeEntry, outcome: Outcome, ending: Ending = Ending.COMPLETE) -> None:
        records = self.reader.marked(begun.challenge, 0)
        findings = tuple(find(record, place, f"#{place}").plain() for place, record in enumerate(records, 1))
        cells = (begun.challenge, 2, RUN, begun.bundle_digest, begun.config_hash, begun.operator, begun.parts)
        self.note_challenge(ChallengeEntry(EntryKind.ENDED, *cells, outcome, ending, findings))

    def close(self) -> None:
        self.reader.close()
        self.store.close()


def fill(folder: Path) -> None:
    """Three challenges: passed, failed, aborted; ordinary parts in between."""
    ledger = Ledger(folder)
    ledger.eject("")
    for name, second, outcome in (("one", "found", Outcome.PASSED), ("two", "missed", Outcome.FAILED)):
        begun = ledger.begin(name)
        ledger.eject(name)
        ledger.eject(name, second)
        ledger.end(begun, outcome)
        ledger.eject("")
    ledger.end(ledger.begin("three"), Outcome.ABORTED, Ending.CANCELLED)
    ledger.close()


def test_what_was_written_is_read_and_verifies(tmp_path: Path) -> None:
    """Newest first, each with its findings; the store is intact and counts three challenges."""
    fill(tmp_path)
    reader = RecordReader(tmp_path)
    ended = ended_entries(reader, 10)
    assert [one.entry.challenge for one in ended_entries(reader, 2)] == ["three", "two"]
    reader.close()
    assert [(one.entry.challenge, one.entry.outcome) for one in ended] == [
        ("three", Outcome.ABORTED),
        ("two", Outcome.FAILED),
        ("one", Outcome.PASSED),
    ]
    assert [finding["proof"] for finding in ended[1].entry.findings] == ["EJECTED", "CALLED_OK"]
    report = verify(tmp_path)
    assert (report.problems, report.challenges) == ([], 3)


@pytest.mark.parametrize("statement", ["UPDATE challenges SET outcome = 'PASSED'", "DELETE FROM challenges"])
def test_the_table_takes_nothing_back(tmp_path: Path, statement: str) -> None:
    """SQLite itself refuses to change or remove an entry."""
    fill(tmp_path)
    refused = pytest.raises(sqlite3.IntegrityError, match="append-only")
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE)) as connection, refused:
        connection.execute(statement)


UNLOCK = "DROP TRIGGER challenges_no_update; DROP TRIGGER challenges_no_delete; DROP TRIGGER records_no_update;"


@pytest.mark.parametrize(
    ("script", "found"),
    [
        (
            "UPDATE challenges SET outcome = 'PASSED' WHERE challenge = 'two' AND kind = 'ENDED'",
            "not what its findings",
        ),
        ("UPDATE challenges SET operator = 'lee' WHERE sequence = 1", "entry 1 .* was changed"),
        ("UPDATE challenges SET record_sequence = 2 WHERE sequence = 1", "not the one that it names"),
        ("UPDATE challenges SET findings = replace(findings, 'CALLED_OK', 'EJECTED')", "record says CALLED_OK"),
        ("UPDATE challenges SET findings = '[1]' WHERE sequence = 2", "cannot be read"),
        ("DELETE FROM challenges WHERE sequence = 4", "entry 4 .* missing"),
        ("DELETE FROM challenges WHERE sequence > 4", "entries 5 to 6 .* missing"),
        ("DELETE FROM challenges WHERE challenge = 'two'", "laid for challenge two, which the store does not know"),
        ("DROP TABLE challenges", "entries 1 to 6 .* missing"),
        ("UPDATE records SET reason = 'LATE' WHERE sequence = 2", "record says NOT_JUDGED, the challenge EJECTED"),
        ("UPDATE records SET extra = '{}' WHERE sequence = 2", "not a record of this challenge"),
    ],
)
def test_meddling_is_found(tmp_path: Path, script: str, found: str) -> None:
    """Whatever is changed or removed behind the station's back, `records verify` says so."""
    fill(tmp_path)
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE)) as connection:
        connection.executescript(UNLOCK + script)
    report = verify(tmp_path)
    assert not report.ok
    assert any(re.search(found, problem.text) for problem in report.problems), report.problems


def test_a_rewritten_chain_does_not_fit_its_head(tmp_path: Path) -> None:
    """Recomputing every hash after a change still leaves the head file, which remembers the old one."""
    fill(tmp_path)
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE)) as connection:
        connection.executescript(UNLOCK + "UPDATE challenges SET operator = 'lee'")
        digest = bytes(32)
        for sequence, *cells, _ in connection.execute("SELECT * FROM challenges ORDER BY sequence").fetchall():
            digest = entry_hash(digest, sequence, tuple(cells))
            connection.execute("UPDATE challenges SET hash = ? WHERE sequence = ?", (digest, sequence))
        connection.commit()
    problems = [problem.text for problem in verify(tmp_path).problems if "trigger" not in problem.text]
    assert problems == [f"entry 6 about challenges is not the one that {CHALLENGES_HEAD_FILE} remembers"]


def test_a_store_without_its_last_entries_is_not_opened(tmp_path: Path) -> None:
    """A station never goes on from a ledger whose end was cut off: the failed challenge may have been there."""
    fill(tmp_path)
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE)) as connection:
        connection.executescript(UNLOCK + "DELETE FROM challenges WHERE sequence > 2")
    with pytest.raises(RecordLostError, match="end at 2, but 6 were durable"):
        RecordStore(tmp_path)


def test_a_store_of_an_older_version_learns_of_challenges(tmp_path: Path) -> None:
    """One that was made before there were challenges can be read as it is, and takes them when it is written to."""
    write_first_version(tmp_path, with_challenges=False)
    reader = RecordReader(tmp_path)
    assert reader.challenges(10) == []
    reader.close()
    ledger = Ledger(tmp_path)
    ledger.begin("four")
    assert [one.entry.challenge for one in ledger.reader.challenges(10)] == ["four"]
    ledger.close()


def test_a_store_whose_challenges_were_dropped_is_not_opened(tmp_path: Path) -> None:
    """A table that this version had made is missed, not made again."""
    fill(tmp_path)
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE)) as connection:
        connection.executescript("DROP TABLE challenges")
    with pytest.raises(RecordStoreError, match="challenges is missing"):
        RecordStore(tmp_path)


@pytest.mark.parametrize(
    ("laid", "outcome"),
    [
        ([], Outcome.ABORTED),
        ([("found", "FIRED")], Outcome.ABORTED),
        ([("found", "FIRED"), ("found", "FIRED")], Outcome.ABORTED),
        ([("found", "FIRED"), ("missed", "FIRED")], Outcome.FAILED),
        ([("found", "FAILED")], Outcome.FAILED),
    ],
)
def test_what_a_killed_station_left_gets_its_end(tmp_path: Path, laid: list[tuple[str, str]], outcome: Outcome) -> None:
    """Never PASSED: FAILED where a durable record shows that a part was not ejected, else ABORTED; once only."""
    ledger = Ledger(tmp_path)
    begun = ledger.begin("one")
    for kind, action in laid:
        ledger.eject("one", kind, EjectorAction(action))
        ledger.eject("")
    for _ in range(2):
        settle_unfinished(ledger, ChallengeOptions(parts=2), 9)
    stored = ledger.reader.challenges(10)
    ledger.close()
    assert len(stored) == 2
    ended = stored[0].entry
    assert (ended.outcome, ended.ending, ended.challenge) == (outcome, Ending.STATION_ENDED, begun.challenge)
    assert len(ended.findings) == len(laid)
    assert verify(tmp_path).problems == []

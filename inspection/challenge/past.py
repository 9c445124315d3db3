"""What earlier challenges left in the records: their ends, and an end for the one that a killed station left."""

from __future__ import annotations

from typing import Protocol

from inspection.challenge.findings import Proof, find
from inspection.challenge.options import ChallengeOptions
from inspection.records.challenges import ChallengeEntry, Ending, EntryKind, Outcome, StoredChallenge
from inspection.records.reader import RecordReader


class Ledger(Protocol):
    """Where entries about challenges are kept: the station's memory."""

    reader: RecordReader

    def note_challenge(self, entry: ChallengeEntry) -> None:
        """Store one entry, durably. Raises RecordsError."""


def ended_entries(reader: RecordReader, limit: int) -> list[StoredChallenge]:
    """Return the newest ends, newest first, at most `limit`. Raises RecordLostError."""
    stored = reader.challenges(2 * limit + 1)  # each has a beginning, too, and one may be without an end
    return [one for one in stored if one.entry.kind is EntryKind.ENDED][:limit]


def settle_unfinished(ledger: Ledger, options: ChallengeOptions, now_wall_ns: int) -> None:
    """Give the challenge that a killed station left unfinished its end, from what is durable. Raises RecordsError.

    FAILED when the record of one of its parts shows that it was not ejected, else ABORTED: only a station that saw
    every part to its end may say PASSED. Parts that were on the belt at that moment have no finding. Only the newest
    beginning can lack its end, since one challenge runs at a time and each start comes through here.
    """
    newest = ledger.reader.challenges(1)
    if not newest or newest[0].entry.kind is EntryKind.ENDED:
        return
    begun = newest[0]
    records = ledger.reader.marked(begun.entry.challenge, begun.record_sequence)
    findings = [find(record, place, options.mark(place)) for place, record in enumerate(records, 1)]
    has_failed = any(finding.proof is not Proof.EJECTED for finding in findings)
    entry = begun.entry
    ledger.note_challenge(
        ChallengeEntry(
            EntryKind.ENDED,
            entry.challenge,
            now_wall_ns,
            entry.run,
            entry.bundle_digest,
            entry.config_hash,
            entry.operator,
            entry.parts,
            Outcome.FAILED if has_failed else Outcome.ABORTED,
            Ending.STATION_ENDED,
            tuple(finding.plain() for finding in findings),
        )
    )

"""The account of a simulated run: what triggered, what was recorded, what was fired, and which promises held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from inspection.part import EjectorAction, Verdict
from inspection.records.record import StoredRecord

GOOD = "good"
_CLOCK_NS = 500_000  # a command that arrives before it was written is another one


@dataclass(frozen=True, slots=True)
class FarEnd:
    """What the far end of the serial line saw.

    reject_on_host_ns: when each reject command arrived. lead_ns: how long before a part's due time its command is
    planned. window_ns: how far from the planned moment a command may arrive.
    """

    reject_on_host_ns: Sequence[int]
    lead_ns: int
    window_ns: int


@dataclass(slots=True)
class Account:
    """The result of a run, as `lineward demo --json` prints it."""

    triggers: int
    records: int
    passed: int
    rejected: int
    rejected_by_reason: dict[str, int]
    late: int
    escaped: int
    overkill: int
    pulses: int
    wrong_pulses: int
    promises_broken: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        """Return it with plain values."""
        return asdict(self)


def settle(triggers: int, published: int, records: Sequence[StoredRecord], far_end: FarEnd) -> Account:
    """Hold a run's durable records against the belt's triggers and the far end's pulses.

    triggers: how many parts the belt knows to have crossed the photo-eye. published: how many records were shown to
    clients. records: all records of the run, read back from the store.
    """
    rejected = [record for record in records if record.verdict == Verdict.REJECT]
    fired = sorted((r for r in records if r.written_host_ns is not None), key=lambda r: r.written_host_ns or 0)
    match = _match(fired, far_end)
    known = [record for record in records if record.truth]
    account = Account(
        triggers=triggers,
        records=len(records),
        passed=len(records) - len(rejected),
        rejected=len(rejected),
        rejected_by_reason=dict(Counter(str(record.reason) for record in rejected)),
        late=sum(record.reason == "LATE" for record in rejected),
        escaped=sum(record.truth != GOOD and record.verdict == Verdict.PASS for record in known),
        overkill=sum(record.truth == GOOD and record.verdict == Verdict.REJECT for record in known),
        pulses=len(far_end.reject_on_host_ns),
        wrong_pulses=match.strangers + len(match.missing) + len(match.outside),
    )
    account.promises_broken = _broken(account, published, records, match)
    return account


@dataclass(frozen=True, slots=True)
class _Match:
    """strangers: pulses of no part. missing: parts that were fired without a pulse. outside: at the wrong moment."""

    strangers: int
    missing: Sequence[StoredRecord]
    outside: Sequence[StoredRecord]


def _match(fired: Sequence[StoredRecord], far_end: FarEnd) -> _Match:
    """Pair commands that were written with commands that arrived: a serial line keeps their order."""
    pulses = sorted(far_end.reject_on_host_ns)
    pairs: list[tuple[StoredRecord, int]] = []
    missing = []
    at = 0
    for place, record in enumerate(fired):
        written_ns = record.written_host_ns or 0
        while at < len(pulses) and pulses[at] < written_ns - _CLOCK_NS and len(pulses) - at > len(fired) - place:
            at += 1
        is_early = at < len(pulses) and pulses[at] < written_ns - _CLOCK_NS
        is_next = place + 1 < len(fired) and at < len(pulses) and pulses[at] >= (fired[place + 1].written_host_ns or 0)
        if at == len(pulses) or is_early or (is_next and len(pulses) - at < len(fired) - place):
            missing.append(record)
            continue
        pairs.append((record, pulses[at]))
        at += 1
    outside = [r for r, pulse_ns in pairs if abs(pulse_ns - r.due_host_ns + far_end.lead_ns) > far_end.window_ns]
    return _Match(len(pulses) - len(pairs), missing, outside)


def _broken(account: Account, published: int, records: Sequence[StoredRecord], match: _Match) -> list[str]:
    """Name each promise of the design that this run broke, with the figures."""
    broken = []
    numbers = Counter((record.run, record.part) for record in records)
    doubled = sorted(part for (_, part), count in numbers.items() if count > 1)
    if account.triggers != len(numbers) or doubled:
        broken.append(
            f"1 one trigger, one verdict: {account.triggers} triggers, {len(numbers)} parts, doubled {doubled}"
        )
    unknown = [r.part for r in records if r.verdict == Verdict.PASS and (r.score is None or not _in_time(r))]
    if unknown:
        broken.append(f"2 the default is reject: parts {unknown} passed without a verdict in time")
    silent = [r.part for r in match.missing]
    silent += [r.part for r in match.outside if r.ejector_action != EjectorAction.FIRED_LATE]
    silent += [r.part for r in records if (r.verdict == Verdict.PASS) != (r.ejector_action == EjectorAction.RELEASED)]
    if match.strangers or silent:
        broken.append(f"3 the right part: {match.strangers} pulses of no part, uncounted faults at parts {silent}")
    if published != account.records:
        broken.append(f"5 what was counted stays counted: {published} shown, {account.records} stored")
    return broken


def _in_time(record: StoredRecord) -> bool:
    return 0 < record.decided_host_ns <= record.deadline_host_ns

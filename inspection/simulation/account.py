"""The account of a simulated run: what triggered, what was recorded, what was fired, and which promises held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from inspection.part import EjectorAction, Verdict
from inspection.records.record import StoredRecord

GOOD = "good"


@dataclass(frozen=True, slots=True)
class FarEnd:
    """What the far end of the serial line saw.

    reject_on_host_ns: when each reject pulse began. lead_ns: how long before a part's due time its pulse is planned.
    window_ns: how far from the planned moment a pulse may be.
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
    unmatched, missing, late = _match(rejected, far_end)
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
        wrong_pulses=unmatched + len(missing) + len(late),
    )
    account.promises_broken = _broken(account, published, records, unmatched, missing)
    return account


def _match(rejected: Sequence[StoredRecord], far_end: FarEnd) -> tuple[int, list[StoredRecord], list[StoredRecord]]:
    """Pair pulses and rejected parts in the order of time.

    Returns how many pulses belong to no rejected part, the rejected parts without a pulse, and those whose pulse fell
    outside their window. A pulse that the station itself reports as late is looked for where it says that it fired.
    """
    expected = sorted(((_fired_host_ns(record, far_end), record) for record in rejected), key=lambda pair: pair[0])
    pulses = sorted(far_end.reject_on_host_ns)
    missing, outside = [], []
    at = unmatched = 0
    for moment_ns, record in expected:
        while at < len(pulses) and pulses[at] < moment_ns - far_end.window_ns:
            unmatched += 1
            at += 1
        if at == len(pulses) or pulses[at] > moment_ns + far_end.window_ns:
            missing.append(record)
            continue
        if record.ejector_action == EjectorAction.FIRED_LATE:
            outside.append(record)
        at += 1
    return unmatched + len(pulses) - at, missing, outside


def _fired_host_ns(record: StoredRecord, far_end: FarEnd) -> int:
    if record.ejector_action == EjectorAction.FIRED_LATE and record.written_host_ns is not None:
        return record.written_host_ns
    return record.due_host_ns - far_end.lead_ns


def _broken(
    account: Account,
    published: int,
    records: Sequence[StoredRecord],
    unmatched: int,
    missing: Sequence[StoredRecord],
) -> list[str]:
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
    silent = [r.part for r in missing if r.ejector_action in (EjectorAction.FIRED, EjectorAction.FIRED_LATE)]
    if unmatched or silent:
        broken.append(f"3 the right part: {unmatched} pulses of no rejected part, no pulse in time for parts {silent}")
    if published != account.records:
        broken.append(f"5 what was counted stays counted: {published} shown, {account.records} stored")
    return broken


def _in_time(record: StoredRecord) -> bool:
    return 0 < record.decided_host_ns <= record.deadline_host_ns

"""What the parts since the start of the process amount to, for the metrics: counted from durable records alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from inspection.observability.histogram import LATENCY_S, LATENESS_S, STAGE_S, DurationHistogram
from inspection.part import EjectorAction, Reason, Verdict
from inspection.records.record import StoredRecord

STAGES = ("frame", "queue", "inference", "decide")
"""From trigger to frame, to a batch, to its scores, to the verdict."""


class PartTally:
    """Counts every record once, after it is durable; it never goes back while the process lives.

    Written on the store's thread, read without a lock by whoever scrapes: each figure is one number or one list.
    """

    def __init__(self) -> None:
        self.parts: Counter[tuple[Verdict, Reason]] = Counter({(Verdict.PASS, Reason.NONE): 0})
        self.parts.update({(Verdict.REJECT, reason): 0 for reason in Reason if reason is not Reason.NONE})
        self.actions: Counter[EjectorAction] = Counter(dict.fromkeys(EjectorAction, 0))
        self.by_default = 0
        self.latency = DurationHistogram(LATENCY_S)
        self.lateness = DurationHistogram(LATENESS_S)
        self.stages = {stage: DurationHistogram(STAGE_S) for stage in STAGES}

    def add(self, records: Iterable[StoredRecord]) -> None:
        """Count a group of records that has just become durable."""
        for record in records:
            self._count(record)

    def _count(self, record: StoredRecord) -> None:
        self.parts[record.verdict, record.reason] += 1
        self.actions[record.ejector_action] += 1
        self.by_default += record.by_default
        if record.latency_us is not None:
            self.latency.observe(record.latency_us * 1e-6)
        if record.lateness_us is not None:
            self.lateness.observe(max(0, record.lateness_us) * 1e-6)
        reached = (
            record.trigger_host_ns,
            record.frame_host_ns,
            record.batch_host_ns,
            record.scored_host_ns,
            record.decided_host_ns,
        )
        for place, stage in enumerate(STAGES):
            began_host_ns, ended_host_ns = reached[place], reached[place + 1]
            if 0 < began_host_ns <= ended_host_ns:
                self.stages[stage].observe((ended_host_ns - began_host_ns) * 1e-9)

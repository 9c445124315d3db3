"""What the present run amounts to, counted from durable records alone."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterable

import numpy as np

from inspection.part import EjectorAction, Reason, Verdict
from inspection.records.record import StoredRecord


class RunCounters:
    """Counts each record once, after it is durable. Written by the recorder's thread, read by anyone."""

    _LATENCIES = 2000
    _RATE_WINDOW_S = 60.0

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset("")

    def reset(self, run: str) -> None:
        """Begin a new run at zero."""
        with self._lock:
            self.run = run
            self.records = 0
            self.passed = 0
            self.rejected_by_reason: Counter[str] = Counter()
            self.wrong_pulses = 0
            self.failed_pulses = 0
            self.late_in_a_row = 0
            self._latencies_us: deque[int] = deque(maxlen=self._LATENCIES)
            self._moments_host_ns: deque[int] = deque(maxlen=20_000)

    def add(self, records: Iterable[StoredRecord]) -> None:
        """Count a group of records that has just become durable."""
        now_host_ns = time.monotonic_ns()
        with self._lock:
            for record in records:
                if record.run == self.run:
                    self._count(record)
                    self._moments_host_ns.append(now_host_ns)

    def _count(self, record: StoredRecord) -> None:
        self.records += 1
        if record.verdict == Verdict.PASS:
            self.passed += 1
        else:
            self.rejected_by_reason[str(record.reason)] += 1
        self.late_in_a_row = self.late_in_a_row + 1 if record.reason == Reason.LATE else 0
        self.wrong_pulses += record.ejector_action == EjectorAction.FIRED_LATE
        self.failed_pulses += record.ejector_action == EjectorAction.FAILED
        if record.latency_us is not None:
            self._latencies_us.append(record.latency_us)

    def late(self) -> int:
        """Return how many parts were rejected because their verdict came too late."""
        return self.rejected_by_reason[Reason.LATE]

    def latency_ms(self) -> tuple[float, float]:
        """Return median and 99th percentile of trigger to verdict over the last parts, in milliseconds; 0 for none."""
        with self._lock:
            latencies_us = list(self._latencies_us)
        if not latencies_us:
            return 0.0, 0.0
        median, p99 = np.percentile(latencies_us, [50, 99]) / 1e3
        return round(float(median), 3), round(float(p99), 3)

    def parts_per_minute(self) -> float:
        """Return the rate over the last minute, or since the first of the recent parts."""
        now_host_ns = time.monotonic_ns()
        window_ns = round(self._RATE_WINDOW_S * 1e9)
        with self._lock:
            while self._moments_host_ns and now_host_ns - self._moments_host_ns[0] > window_ns:
                self._moments_host_ns.popleft()
            count = len(self._moments_host_ns)
            span_ns = now_host_ns - self._moments_host_ns[0] if count else 0
        return round(60e9 * count / span_ns, 1) if count > 1 and span_ns else 0.0

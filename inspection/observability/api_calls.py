"""Counting the calls of the API by method and status code."""

from __future__ import annotations

import threading
from collections import Counter

from inspection.observability.histogram import LATENCY_S, DurationHistogram, HistogramState


class ApiCalls:
    """What the API was asked. Written by whatever intercepts its calls, from any thread; read by whoever scrapes.

    Methods that do not exist are anybody's invention: they are counted together, so that none fills the memory.
    """

    UNKNOWN = "unknown"
    _MOST_METHODS = 200

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._durations: dict[str, DurationHistogram] = {}

    def ended(self, method: str, code: str, duration_s: float) -> None:
        """Count a call that has ended. method: "/package.Service/Method". code: as gRPC names it, such as "OK"."""
        with self._lock:
            is_new = method not in self._durations
            if code == "UNIMPLEMENTED" or (is_new and len(self._durations) >= self._MOST_METHODS):
                method = self.UNKNOWN
            self._counts[method, code] += 1
            self._durations.setdefault(method, DurationHistogram(LATENCY_S)).observe(duration_s)

    def counts(self) -> list[tuple[tuple[str, str], int]]:
        """Return how many calls ended, by method and code."""
        with self._lock:
            return list(self._counts.items())

    def durations(self) -> list[tuple[str, HistogramState]]:
        """Return how long they took, by method."""
        with self._lock:
            return [(method, histogram.state()) for method, histogram in self._durations.items()]

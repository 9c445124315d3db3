"""Counting durations into buckets, for one writing thread and any reader."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

LATENCY_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0)
"""Bounds for what happens between a trigger and its verdict: 1 ms to 10 s."""
STAGE_S = (0.0001, 0.0002, 0.0005, *LATENCY_S)
LATENESS_S = (0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 1.0)
"""Bounds for pulses: 50 µs to 1 s."""


class HistogramState(NamedTuple):
    """One look at a histogram: (upper bound, how many at most as large), the last one "+Inf"; and the sum."""

    buckets: list[tuple[str, float]]
    sum_s: float


class DurationHistogram:
    """Durations by size. One thread observes; another reads without a lock.

    A reader may see the sum of one observation more or fewer than the counts, never a count that goes back.
    """

    def __init__(self, bounds_s: Sequence[float]) -> None:
        self._bounds_s = tuple(bounds_s)
        self._counts = [0] * (len(self._bounds_s) + 1)
        self._sum_s = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration; a bound belongs to the bucket below it."""
        self._counts[bisect_left(self._bounds_s, seconds)] += 1
        self._sum_s += seconds

    def state(self) -> HistogramState:
        """Return what was counted so far."""
        total, buckets = 0, []
        for bound, count in zip((*map(str, self._bounds_s), "+Inf"), list(self._counts), strict=True):
            total += count
            buckets.append((bound, float(total)))
        return HistogramState(buckets, self._sum_s)

"""How long a batch of each size takes: measured at start, followed while the line runs."""

from __future__ import annotations

from collections.abc import Mapping


class ExecutionTimes:
    """Expected seconds from taking a batch to its scores, per batch size 1…max_size.

    Starts from the medians measured before the station is Ready and follows what the workers observe: upwards at
    once by half the difference, to the double at most, downwards slowly, so that one lucky run never promises too much
    and one stall (a process that was stopped for seconds) does not make every part after it hopeless. Written by the
    workers without a lock: each update is one assignment, and a lost one costs nothing.
    """

    _RISE = 0.5
    _FALL = 0.02
    _HIGHEST_RISE = 2.0

    def __init__(self, measured_s: Mapping[int, float], max_size: int) -> None:
        if 1 not in measured_s:
            raise ValueError(f"no time for batch size 1 among {sorted(measured_s)}: measure size 1 first")
        self.max_size = max_size
        self._measured_s = [0.0] + [self._interpolate(measured_s, size) for size in range(1, max_size + 1)]
        self._expected_s = list(self._measured_s)

    @staticmethod
    def _interpolate(measured_s: Mapping[int, float], size: int) -> float:
        """Take the measured time, or scale the nearest smaller measured size linearly (never too optimistic)."""
        nearest = max(known for known in measured_s if known <= size)
        return measured_s[nearest] * (size / nearest)

    def expected_s(self, size: int) -> float:
        """Return the expected seconds for a batch of `size` (1…max_size)."""
        return self._expected_s[size]

    def observe(self, size: int, seconds: float) -> None:
        """Follow one measured execution."""
        known = self._expected_s[size]
        if seconds > known:
            self._expected_s[size] = min(known + (seconds - known) * self._RISE, known * self._HIGHEST_RISE)
        else:
            self._expected_s[size] = known + (seconds - known) * self._FALL

    def doubt(self) -> None:
        """Come a little nearer to what was measured at the start: a part was given up without being tried.

        Where every part is given up nothing is observed any more, and an expectation that is too high would stay.
        """
        self._expected_s[1] = max(self._measured_s[1], self._expected_s[1] * (1.0 - self._FALL))

"""The table of execution times."""

from __future__ import annotations

import pytest

from inspection.pipeline.times import ExecutionTimes


def test_unmeasured_sizes_are_never_optimistic() -> None:
    """A size between two measured ones costs at least what the smaller one's rate says."""
    times = ExecutionTimes({1: 0.010, 4: 0.030}, max_size=6)
    assert times.expected_s(3) == pytest.approx(0.030)
    assert times.expected_s(6) == pytest.approx(0.045)


def test_size_one_must_be_measured() -> None:
    """Without a time for one part nothing can be promised."""
    with pytest.raises(ValueError, match="size 1"):
        ExecutionTimes({2: 0.01}, max_size=4)


def test_slow_runs_count_at_once_and_fast_ones_slowly() -> None:
    """One slow run raises the expectation by half the difference; one fast run hardly lowers it."""
    times = ExecutionTimes({1: 0.010}, max_size=1)
    times.observe(1, 0.030)
    assert times.expected_s(1) == pytest.approx(0.020)
    times.observe(1, 0.0)
    assert times.expected_s(1) == pytest.approx(0.0196)

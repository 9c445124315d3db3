"""The ejector's measurement counts what really happened on the line."""

from __future__ import annotations

import pytest

from inspection.bench.ejector import run
from models.errors import BundleNotFoundError


def test_every_pulse_is_measured_idle_and_loaded() -> None:
    """All pulses arrive in both runs, the load really ran, and no pulse is early; figures are not judged."""
    loads = 0

    def load() -> None:
        nonlocal loads
        loads += sum(range(1000)) > 0

    result = run(40, load=load)
    assert result["loaded"]["load_runs"] > 0
    assert loads > 0
    for part in ("idle", "loaded"):
        figures = result[part]
        assert 0 <= figures["p50_us"] <= figures["p99_us"] <= figures["p99_9_us"] <= figures["max_us"]
        assert figures["written"]["p50_us"] <= figures["max_us"]
        assert 0 <= figures["outside_2ms"] <= 40
    assert result["outside_2ms"] == result["loaded"]["outside_2ms"]
    assert set(result["ratio_to_idle"]) == {"p50_us", "p99_us", "p99_9_us", "max_us"}


def test_a_load_that_fails_is_told() -> None:
    """A bundle that does not exist ends the measurement before any pulse."""
    with pytest.raises(BundleNotFoundError, match="no-such-bundle"):
        run(10, bundle="zoo:no-such-bundle")

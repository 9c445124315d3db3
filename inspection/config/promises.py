"""Which of the product's promises a configuration's wiring cannot keep."""

from __future__ import annotations

from inspection.config.sections import StationConfig


def unkept_promises(config: StationConfig) -> list[str]:
    """Return one sentence for each promise that this wiring cannot keep, with what would keep it."""
    return list(config.ejector.broken_promises())

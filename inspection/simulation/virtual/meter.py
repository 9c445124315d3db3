"""How fast a simulation goes on this machine, and the memory that it takes, tenth by tenth."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspection.simulation.virtual.ledger import Account

_TENTHS = 10


def resident_mb() -> float:
    """Return the resident memory of this process in MB (10⁶ bytes). Raises OSError where /proc is not mounted."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@dataclass(frozen=True, slots=True)
class Figures:
    """What a simulation reached. The first two are of the line, the rest of this machine.

    peaks_mb: the highest resident memory seen in each tenth of the parts.
    """

    line_parts_per_s: float
    line_frames_per_s: float
    took_s: float
    parts_per_s: float
    frames_per_s: float
    peaks_mb: tuple[float, ...]

    @property
    def growth_mb(self) -> float:
        """Return by how much the last tenth's peak is above the second's; the first warms everything up."""
        return round(self.peaks_mb[-1] - self.peaks_mb[1], 1) if len(self.peaks_mb) > 1 else 0.0

    def as_json(self) -> dict[str, Any]:
        """Return it with plain values."""
        plain = {name: getattr(self, name) for name in self.__slots__}
        return plain | {"peaks_mb": list(self.peaks_mb), "growth_mb": self.growth_mb}


class Meter:
    """Looks on while a simulation runs; call `progress` as it goes on, `figures` at its end."""

    def __init__(
        self,
        parts: int,
        memory_mb: Callable[[], float] = resident_mb,
        clock_s: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._parts = parts
        self._memory_mb = memory_mb
        self._clock_s = clock_s
        self._began_s = clock_s()
        self._peaks_mb: dict[int, float] = {}

    def progress(self, done: int) -> None:
        """Take note that so many parts have gone by."""
        tenth = min(_TENTHS - 1, max(0, done - 1) * _TENTHS // self._parts)
        self._peaks_mb[tenth] = max(self._peaks_mb.get(tenth, 0.0), self._memory_mb())

    def figures(self, account: Account) -> Figures:
        """Return what was reached."""
        self.progress(self._parts)
        took_s, virtual_s = max(1e-9, self._clock_s() - self._began_s), max(1e-9, account.virtual_s)
        return Figures(
            round(account.parts / virtual_s, 2),
            round(account.frames / virtual_s, 2),
            round(took_s, 2),
            round(account.parts / took_s, 1),
            round(account.frames / took_s, 1),
            tuple(round(self._peaks_mb[tenth], 1) for tenth in sorted(self._peaks_mb)),
        )

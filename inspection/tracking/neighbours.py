"""Parts so close to a rejected one that its pulse takes them along."""

from __future__ import annotations

from collections import deque

from inspection.part import EjectorAction, Verdict
from inspection.tracking.geometry import Geometry
from inspection.tracking.part import PartInFlight

_NO_PULSE = frozenset({EjectorAction.RELEASED, EjectorAction.REMOVED, EjectorAction.FAILED, EjectorAction.TAKEN_ALONG})


class Neighbours:
    """Knows which parts would be taken along by which reject. Owned by the tracker, used under its lock."""

    def __init__(self, geometry: Geometry) -> None:
        self._reach = geometry.takes_behind
        self._ahead = min(geometry.takes_ahead, geometry.takes_behind)
        self._recent: deque[PartInFlight] = deque()

    def join(self, part: PartInFlight) -> None:
        """Link a new part with those just ahead of it."""
        recent = self._recent
        while recent and part.position - recent[0].position >= self._reach:
            recent.popleft()
        for other in recent:
            part.ahead.append(other)
            other.behind.append(part)
            if part.position - other.position < self._ahead:
                other.ahead.append(part)
                part.behind.append(other)
        if self._reach:
            recent.append(part)

    @staticmethod
    def taken_along(part: PartInFlight) -> bool | None:
        """Return whether a part is taken along by the pulse of another one; None while that is not known.

        Of two parts that could take each other along, the first is decided as soon as the second was judged OK: it will
        have no pulse of its own then.
        """
        known: bool | None = False
        for other in part.ahead:
            pulses = _pulses(other)
            if pulses is None and other.number > part.number and other.judged is not None:
                pulses = other.judged.verdict is Verdict.REJECT
            if pulses:
                return True
            if pulses is None:
                known = None
        return known


def _pulses(part: PartInFlight) -> bool | None:
    """Return whether a part gets a pulse of its own; None while nobody has decided."""
    if part.action is not None:
        return part.action not in _NO_PULSE
    return None if part.told is None else part.told is Verdict.REJECT

"""Parts too close together for the ejector to tell apart share one fate: a reject takes its neighbours along."""

from __future__ import annotations

from collections import deque

from inspection.part import EjectorAction, Verdict
from inspection.tracking.geometry import Geometry
from inspection.tracking.part import PartInFlight


class Neighbours:
    """Knows which parts would be taken along by which reject. Owned by the tracker, used under its lock."""

    def __init__(self, geometry: Geometry) -> None:
        self._behind = geometry.takes_behind
        self._ahead = geometry.takes_ahead
        self._recent: deque[PartInFlight] = deque()

    def join(self, part: PartInFlight) -> None:
        """Link a new part with those just ahead of it."""
        recent = self._recent
        while recent and part.position - recent[0].position >= self._behind:
            recent.popleft()
        for other in recent:
            part.ahead.append(other)
            other.behind.append(part)
            if part.position - other.position < self._ahead:
                other.ahead.append(part)
                part.behind.append(other)
        if self._behind:
            recent.append(part)

    @staticmethod
    def may_pass(part: PartInFlight) -> bool | None:
        """Return whether the neighbours of a part that was judged OK let it pass; None while that is not known.

        Looks through parts that wait for each other: they pass together, or none of them does.
        """
        known: bool | None = True
        seen, waiting = {part.number}, [part]
        while waiting:
            for other in waiting.pop().ahead:
                if other.number in seen:
                    continue
                seen.add(other.number)
                if other.decision is not None:
                    if other.decision.verdict is Verdict.REJECT and other.action is not EjectorAction.REMOVED:
                        return False
                elif other.judged is None:
                    known = None
                elif other.judged.verdict is Verdict.REJECT:
                    return False
                else:
                    waiting.append(other)
        return known

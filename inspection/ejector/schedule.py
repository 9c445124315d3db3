"""Which rejects are armed and when each fires: the rules alone, without a clock, a port or a process."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from enum import Enum, auto

from inspection.part import Verdict

CAPACITY = 4096


class Armed(Enum):
    """What became of an attempt to arm a part."""

    ARMED = auto()
    DUPLICATE = auto()  # the part is armed already: its first arming stands
    REFUSED = auto()  # as many parts as the schedule holds are armed: nothing will fire for this one


@dataclass(slots=True)
class Reject:
    """A part whose reject will fire at `planned_ns` unless a PASS arrives by `deadline_ns`."""

    part: int
    planned_ns: int
    deadline_ns: int
    confirmed: bool = False

    @property
    def by_default(self) -> bool:
        """Whether it fires because no verdict arrived in time."""
        return not self.confirmed


class Schedule:
    """The armed rejects, soonest first. Owned by the scheduler's thread; every time is handed in.

    lead_ns: how long before a part's due time its command must be written (actuator delay plus wire time).
    """

    def __init__(self, lead_ns: int, capacity: int = CAPACITY) -> None:
        self._lead_ns = lead_ns
        self._capacity = capacity
        self._rejects: dict[int, Reject] = {}
        self._order: list[tuple[int, int, Reject]] = []
        self._sequence = 0
        self.duplicate_parts = 0
        self.refused_parts = 0
        self.ignored_verdicts = 0

    def __len__(self) -> int:
        return len(self._rejects)

    def expect(self, part: int, due_ns: int, deadline_ns: int) -> Armed:
        """Arm the reject of a part. A verdict counts until the deadline, and never after the planned moment."""
        if part in self._rejects:
            self.duplicate_parts += 1
            return Armed.DUPLICATE
        if len(self._rejects) >= self._capacity:
            self.refused_parts += 1
            return Armed.REFUSED
        planned_ns = due_ns - self._lead_ns
        reject = Reject(part, planned_ns, min(deadline_ns, planned_ns))
        self._rejects[part] = reject
        self._sequence += 1
        heapq.heappush(self._order, (planned_ns, self._sequence, reject))
        return Armed.ARMED

    def decide(self, part: int, verdict: Verdict, now_ns: int) -> bool:
        """Take a verdict and return whether it released the part.

        Ignored and counted: a verdict that is late, that is on a part which is not armed, or that would pass a part
        whose reject was confirmed.
        """
        reject = self._rejects.get(part)
        if reject is None or now_ns > reject.deadline_ns or reject.confirmed:
            self.ignored_verdicts += 1
            return False
        if verdict is Verdict.PASS:
            del self._rejects[part]
            return True
        reject.confirmed = True
        return False

    def next_planned_ns(self) -> int | None:
        """Return when the next reject fires, None when none is armed."""
        while self._order and self._rejects.get(self._order[0][2].part) is not self._order[0][2]:
            heapq.heappop(self._order)
        return self._order[0][0] if self._order else None

    def pop_due(self, now_ns: int) -> Reject | None:
        """Take out the soonest reject whose planned moment has come."""
        planned_ns = self.next_planned_ns()
        if planned_ns is None or planned_ns > now_ns:
            return None
        reject = heapq.heappop(self._order)[2]
        del self._rejects[reject.part]
        return reject

    def pop_all(self) -> list[Reject]:
        """Take out every armed reject, unfired."""
        rejects = sorted(self._rejects.values(), key=lambda reject: reject.planned_ns)
        self._rejects.clear()
        self._order.clear()
        return rejects

"""Which parts are on their way to the ejector and when each is due there: the rules alone, without clock or port."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass
from enum import Enum, auto
from operator import attrgetter

from inspection.motion import Motion
from inspection.part import Verdict

CAPACITY = 4096
_DUE = attrgetter("due")


class Armed(Enum):
    """What became of an attempt to arm a part."""

    ARMED = auto()
    DUPLICATE = auto()  # the part is armed already: its first arming stands
    REFUSED = auto()  # as many parts as the schedule holds are armed: nothing will be done for this one


@dataclass(slots=True, eq=False)
class ArmedPart:
    """A part that is rejected at its place on the belt unless it is passed in time."""

    due: int
    part: int
    verdict: Verdict | None = None
    released: bool | None = None  # positive release: whether it got its pulse
    written_ns: int = 0  # positive release: when it was given its pulse
    spoilt: bool = False  # positive release: the gate moved inside its window

    @property
    def by_default(self) -> bool:
        """Whether no verdict arrived in time."""
        return self.verdict is None


class Schedule:
    """The armed parts, the one that is due first at the front. Owned by the scheduler's thread; all times handed in.

    A place on the belt becomes a moment only when it is asked for, so a belt that slows down, stops, runs back or
    starts again moves every part with it. lead_ns: how long before a part is due its command must be written;
    margin_ns: how long before that its verdict must have arrived.
    """

    def __init__(self, motion: Motion, lead_ns: int, margin_ns: int = 0, capacity: int = CAPACITY) -> None:
        self._motion = motion
        self._lead_ns = lead_ns
        self._margin_ns = margin_ns
        self._capacity = capacity
        self._by_number: dict[int, ArmedPart] = {}
        self.parts: list[ArmedPart] = []  # by place, and of one place the oldest first
        self.newest_due: int | None = None  # where the part is due that was armed last
        self.duplicate_parts = 0
        self.refused_parts = 0
        self.ignored_verdicts = 0

    def __len__(self) -> int:
        return len(self.parts)

    def expect(self, part: int, due: int) -> Armed:
        """Arm a part that is due at a place on the belt."""
        if part in self._by_number:
            self.duplicate_parts += 1
            return Armed.DUPLICATE
        if len(self.parts) >= self._capacity:
            self.refused_parts += 1
            return Armed.REFUSED
        armed = self._by_number[part] = ArmedPart(due, part)
        if not self.parts or due >= self.parts[-1].due:
            self.parts.append(armed)
        else:
            insort(self.parts, armed, key=_DUE)
        self.newest_due = due
        return Armed.ARMED

    def decide(self, part: int, verdict: Verdict, now_ns: int) -> ArmedPart | None:
        """Take the first verdict on a part, and return the part where the verdict counts.

        It counts until margin_ns before the planned moment, and as long as the belt stands. Ignored and counted: one
        that is late, a second one, and one on a part that is not armed.
        """
        armed = self._by_number.get(part)
        if armed is None or armed.verdict is not None or armed.released is not None or self._is_late(armed, now_ns):
            self.ignored_verdicts += 1
            return None
        armed.verdict = verdict
        return armed

    def _is_late(self, armed: ArmedPart, now_ns: int) -> bool:
        planned_ns = self.planned_ns(armed)
        return planned_ns is not None and now_ns > planned_ns - self._margin_ns

    def due_ns(self, armed: ArmedPart) -> int | None:
        """Return the moment at which a part is due, None while the belt stands."""
        return self._motion.when(armed.due)

    def planned_ns(self, armed: ArmedPart) -> int | None:
        """Return the moment at which a part's command is to be written, None while the belt stands."""
        due_ns = self._motion.when(armed.due)
        return None if due_ns is None else due_ns - self._lead_ns

    def notice_ns(self, now_ns: int) -> int | None:
        """Return how long before its planned moment the part was told of that was armed last; None if nobody knows."""
        due_ns = None if self.newest_due is None else self._motion.when(self.newest_due)
        return None if due_ns is None else due_ns - self._lead_ns - now_ns

    def next_planned_ns(self) -> int | None:
        """Return when the first part's command is to be written; None while none is armed or the belt stands."""
        return self.planned_ns(self.parts[0]) if self.parts else None

    def take(self, armed: ArmedPart) -> ArmedPart:
        """Take a part out."""
        at = bisect_left(self.parts, armed.due, key=_DUE)
        while self.parts[at] is not armed:
            at += 1
        del self.parts[at]
        del self._by_number[armed.part]
        return armed

    def pop_all(self) -> list[ArmedPart]:
        """Take out every part, first due first."""
        parts, self.parts = self.parts, []
        self._by_number.clear()
        return parts

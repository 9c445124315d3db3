"""Results on their way to the PLC: a bounded queue, of which one is shown until it was read and acknowledged."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from inspection.plc.map import NO_SCORE, ResultCode


@dataclass(frozen=True, slots=True)
class Result:
    """One part's result as the PLC gets it.

    deadline_host_ns: until when it may be shown for the first time as a pass.
    score_per_mille: defect probability, NO_SCORE without one. defect_class: its place in the model's classes from 1.
    """

    part: int
    passed: bool
    code: ResultCode
    deadline_host_ns: int
    score_per_mille: int = NO_SCORE
    defect_class: int = 0

    def failed(self, code: ResultCode) -> Result:
        """Return it as a Fail: a pass takes the code, a Fail keeps its own. There is no way back."""
        return replace(self, passed=False, code=code) if self.passed else self


class ResultBuffer:
    """The results that the PLC has not acknowledged, oldest first. Owned by the handshake.

    A full buffer refuses the newest and says so; what is shown is never overwritten. An acknowledgement retires a
    result only when the PLC has read it before.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._waiting: deque[Result] = deque()
        self._head: Result | None = None
        self._was_read = False
        self._acknowledging = False
        self._withheld = True
        self.lost = 0
        self.acknowledged = 0
        self.stray_acks = 0
        self.overrun = False

    def __len__(self) -> int:
        return len(self._waiting) + (self._head is not None)

    @property
    def shown(self) -> Result | None:
        """The result that the PLC may read now."""
        return None if self._withheld or self._acknowledging else self._head

    def offer(self, result: Result, *, may_wait: bool) -> None:
        """Put a result behind the others, or lose it when there is no room; may_wait: whether behind the one shown."""
        if len(self) >= (self._capacity if may_wait else 1):
            self.lost += 1
            self.overrun = True
            return
        self._waiting.append(result)

    def read(self) -> None:
        """Note that the PLC was told of what is shown."""
        self._was_read = self._was_read or self.shown is not None

    def acknowledge(self, level: bool) -> None:
        """Follow the acknowledgement: its rise retires what was read, its fall makes room for the next."""
        if level and not self._acknowledging:
            if self._head is not None and self._was_read:
                self._head = None
                self._was_read = False
                self.acknowledged += 1
            else:
                self.stray_acks += 1
        self._acknowledging = level

    def advance(self, now_host_ns: int, *, withheld: bool, blocked: bool) -> None:
        """Settle what is shown now: nothing when withheld, no pass when blocked, no pass that comes up too late."""
        was_shown = self.shown is not None
        self._withheld = withheld
        if withheld or self._acknowledging:
            return
        if self._head is None and self._waiting:
            self._head = self._waiting.popleft()
        if self._head is None:
            return
        if not (was_shown and self._was_read) and now_host_ns > self._head.deadline_host_ns:
            self._head = self._head.failed(ResultCode.LATE)
        if blocked:
            self._head = self._head.failed(ResultCode.SYSTEM)

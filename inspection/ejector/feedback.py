"""What the board's inputs say: whether a rejected part was seen in the bin, and whether the bin is full."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from inspection.ejector.commands import Counters, Report
from inspection.ejector.rules import IDLE_POLL_NS, POLL_NS, Rules
from inspection.part import Actuation, EjectorAction


@dataclass(slots=True)
class _Awaited:
    actuation: Actuation
    until_ns: int
    was_watched: bool = False


class Feedback:
    """The fired rejects that the confirming input has yet to see, oldest first. Owned by the core.

    Each rising edge confirms the oldest. Inputs are polled, so the sensor must stay on for longer than a poll takes; a
    reject in whose time no poll was answered is reported as fired and counted as unwatched.
    """

    def __init__(self, rules: Rules, counters: Counters, report: Report) -> None:
        self._rules = rules
        self._counters = counters
        self._report = report
        self._awaited: deque[_Awaited] = deque()
        self._was_on = False
        self._next_ns = 0 if rules.bin_full_input is not None or rules.confirm_input is not None else None

    def __len__(self) -> int:
        return len(self._awaited)

    def pass_on(self, actuation: Actuation) -> None:
        """Report what the ejector did, a fired reject once its part was seen."""
        if self._rules.confirm_input is None or actuation.action is not EjectorAction.FIRED:
            self._report(actuation)
        else:
            assert actuation.written_host_ns is not None
            self._awaited.append(_Awaited(actuation, actuation.written_host_ns + self._rules.confirm_ns))

    def inputs(self, levels: int) -> None:
        """Take the levels of the inputs, bit 0 the first."""
        if self._rules.bin_full_input is not None:
            self._counters.bin_full = levels >> (self._rules.bin_full_input - 1) & 1
        if self._rules.confirm_input is None:
            return
        for one in self._awaited:
            one.was_watched = True
        is_on = bool(levels >> (self._rules.confirm_input - 1) & 1)
        if is_on and not self._was_on and self._awaited:
            self._counters.not_seen_in_a_row = 0
            self._report(self._awaited.popleft().actuation)
        self._was_on = is_on

    def expire(self, now_ns: int) -> None:
        """Report the rejects that were not seen in time."""
        while self._awaited and self._awaited[0].until_ns < now_ns:
            one = self._awaited.popleft()
            if not one.was_watched:
                self._counters.unwatched += 1
                self._report(one.actuation)
                continue
            self._counters.not_seen += 1
            self._counters.not_seen_in_a_row += 1
            self._report(replace(one.actuation, action=EjectorAction.NOT_SEEN))

    def is_due(self, now_ns: int) -> bool:
        """Return whether to poll now, and take it as done."""
        if self._next_ns is None or now_ns < self._next_ns:
            return False
        self._next_ns = now_ns + (POLL_NS if self._awaited else IDLE_POLL_NS)
        return True

    def next_ns(self, now_ns: int) -> int | None:
        """Return when to poll."""
        if self._next_ns is not None and self._awaited:
            self._next_ns = min(self._next_ns, now_ns + POLL_NS)
        return self._next_ns

    def expires_ns(self) -> int | None:
        """Return when the oldest reject is given up."""
        return self._awaited[0].until_ns + 1 if self._awaited else None

    def give_up(self) -> None:
        """Report what is still awaited as it was fired: nobody will look any more."""
        while self._awaited:
            self._counters.unwatched += 1
            self._report(self._awaited.popleft().actuation)

"""Positive release: the gate takes every part by itself, and a pulse holds it back for a part that was passed."""

from __future__ import annotations

from collections import deque

from inspection.ejector.commands import Counters, Report, Switch
from inspection.ejector.rules import Rules
from inspection.ejector.schedule import CAPACITY, ArmedPart, Schedule
from inspection.motion import Motion
from inspection.part import Actuation, EjectorAction, Verdict

_NOTICED_NS = 10_000_000  # how long a port may have been gone when the loop hears of it


class PositiveRelease:
    """The mode of a gate that diverts unless released: silence, a lost port and a doubt all reject.

    Parts closer together than the gate can tell apart share one fate: all are released or none is. A pulse ends before
    the window of a part that is not passed. A part is reported when its window is over: RELEASED where its pulse stood
    throughout, DIVERTED where the gate was shut throughout, and FAILED where that is not certain.
    """

    def __init__(self, rules: Rules, schedule: Schedule, motion: Motion, counters: Counters, report: Report) -> None:
        self._rules = rules
        self._schedule = schedule
        self._motion = motion
        self._counters = counters
        self._report = report
        self._reach_ns = rules.clear_ns
        if rules.ends_itself:  # the pulse cannot be cut short
            self._reach_ns = max(rules.clear_ns, rules.pulse_ns + rules.window_ns + rules.guard_ns)
        self._in_hand: ArmedPart | None = None
        self._behind: ArmedPart | None = None  # the last part that has gone through
        self._began_ns = 0
        self._end_ns: int | None = None
        self._board_ends_ns = 0  # when a board that ends its pulses itself does so
        self._stuck = True  # the port went away while the gate was held, or was never open: it may still be
        self._openings: deque[tuple[int, int]] = deque(maxlen=CAPACITY)  # of the gate, for parts that are told of late

    @property
    def is_on(self) -> bool:
        """Whether the gate is held back."""
        return self._end_ns is not None

    def decided(self, armed: ArmedPart) -> None:
        """Do nothing yet: the verdict counts when the part is at the gate."""

    def next_switch(self, now_ns: int, connected: bool) -> Switch | None:
        """Return the ON of the passed part that is at the gate, or the OFF that is due."""
        self._finish(now_ns)
        for index, armed in enumerate(self._schedule.parts):
            planned_ns = self._schedule.planned_ns(armed)
            if planned_ns is None or planned_ns > now_ns:
                break
            if armed.released is not None:
                continue
            if connected and self._is_in_time(planned_ns, now_ns) and self._group_has_passed(index):
                self._in_hand = armed
                return Switch(self._rules.channel, True, is_pulse=True)
            armed.released = False
            if armed.verdict is Verdict.PASS:
                is_barred = connected and self._is_in_time(planned_ns, now_ns)
                self._counters.barred_releases += int(is_barred)
                self._counters.late_releases += int(not is_barred)
        return self._next_off(now_ns)

    def _is_in_time(self, planned_ns: int, now_ns: int) -> bool:
        timeout_ns = self._rules.encoder_timeout_ns
        if timeout_ns is not None and self._motion.silent_ns(now_ns) > timeout_ns:
            return False  # nobody knows which part is at the gate
        return now_ns - planned_ns <= self._rules.window_ns

    def _group_has_passed(self, index: int) -> bool:
        """Return whether a part and all that the gate cannot tell from it are passed. The belt moves."""
        parts = self._schedule.parts
        if parts[index].verdict is not Verdict.PASS:
            return False
        before = parts[index - 1] if index else self._behind
        is_barred = before is not None and before.released is False
        if before is not None and is_barred and self._between_ns(before, parts[index]) < self._rules.clear_ns:
            return False
        for at in range(index + 1, len(parts)):
            right = parts[at]
            if self._between_ns(parts[at - 1], right) >= self._reach_ns:
                return True
            if right.verdict is not Verdict.PASS or right.released is False:
                return False
        return True

    def _between_ns(self, left: ArmedPart, right: ArmedPart) -> int:
        left_ns, right_ns = self._schedule.due_ns(left), self._schedule.due_ns(right)
        return 0 if left_ns is None or right_ns is None else right_ns - left_ns

    def _next_off(self, now_ns: int) -> Switch | None:
        off_ns = self._off_ns(now_ns)
        if off_ns is None or now_ns < off_ns:
            return None
        if self._rules.ends_itself and now_ns >= self._board_ends_ns:
            self._shut(now_ns)
            return None
        return Switch(self._rules.channel, False)

    def _off_ns(self, now_ns: int) -> int | None:
        """Return when the gate must be let go: at the pulse's end, or before the window of a part that is not passed.

        At once when the belt stands: nobody can say which part is at the gate when it starts again.
        """
        end_ns = self._end_ns
        if end_ns is None:
            return None
        for index, armed in enumerate(self._schedule.parts):
            planned_ns = self._schedule.planned_ns(armed)
            if planned_ns is None:
                return now_ns
            if armed.released or planned_ns + self._rules.window_ns < self._began_ns:
                continue
            clear_ns = planned_ns - self._rules.window_ns - self._rules.guard_ns
            if clear_ns >= end_ns:
                return end_ns
            if armed.released is False or not self._group_has_passed(index):
                return min(end_ns, clear_ns)
            if planned_ns <= end_ns + self._rules.guard_ns:
                end_ns = max(end_ns, planned_ns + self._rules.guard_ns)  # its own ON follows at once: stay open
        return end_ns

    def written(self, switch: Switch, now_ns: int) -> None:
        """Note the beginning or the end of a release."""
        if not switch.on:
            self._shut(now_ns)
            return
        armed, self._in_hand = self._in_hand, None
        assert armed is not None
        armed.released, armed.written_ns = True, now_ns
        armed.spoilt = False  # that the gate shut behind the part before it says nothing of its own release
        self._counters.pulses += 1
        self._counters.merges += int(self.is_on)
        self._board_ends_ns = now_ns + self._rules.pulse_ns
        planned_ns = self._schedule.planned_ns(armed)
        is_late = planned_ns is None or now_ns > planned_ns + self._rules.window_ns
        end_ns = now_ns if is_late else now_ns + self._rules.pulse_ns
        # Written so late that its part has gone: whoever is at the gate now, nobody knows. Shut it at once.
        if not self.is_on:
            self._began_ns = now_ns
        self._end_ns = end_ns if self._end_ns is None else max(end_ns, self._end_ns)

    def _shut(self, now_ns: int) -> None:
        """Note that the gate is shut, and mark each part in whose window it was open and shut."""
        self._end_ns = None
        self._openings.append((self._began_ns, now_ns))
        for armed in self._schedule.parts:
            planned_ns = self._schedule.planned_ns(armed)
            if planned_ns is None:
                armed.spoilt = armed.spoilt or armed.released is True
            elif armed.released:
                armed.spoilt = armed.spoilt or now_ns < planned_ns + self._rules.window_ns
            else:
                is_before = now_ns <= planned_ns - self._rules.window_ns
                is_after = planned_ns + self._rules.window_ns < self._began_ns
                armed.spoilt = armed.spoilt or not (is_before or is_after)

    def lost(self, now_ns: int) -> None:
        """Give up what was to be written; a gate that was held may stay so until the port is back."""
        armed, self._in_hand = self._in_hand, None
        if armed is not None:
            armed.released = False
            self._counters.late_releases += 1
        # A command that failed may have arrived all the same, and one that was just written may not have.
        shut_ns = self._openings[-1][1] if self._openings else None
        was_on = self.is_on or (shut_ns is not None and now_ns - shut_ns <= self._rules.guard_ns + _NOTICED_NS)
        self._stuck = self._stuck or was_on or armed is not None
        if self._stuck:
            self._began_ns = self._began_ns if was_on else now_ns
            self._shut(now_ns)

    def restored(self, now_ns: int) -> None:
        """Trust the gate again, but not for the parts that came to it meanwhile."""
        if self._stuck:
            self._stuck = False
            self._shut(now_ns)

    def _finish(self, now_ns: int) -> None:
        """Report the parts whose windows are over."""
        while self._schedule.parts:
            armed = self._schedule.parts[0]
            planned_ns = self._schedule.planned_ns(armed)
            if planned_ns is None or now_ns <= planned_ns + self._rules.window_ns:
                return
            self._behind = self._schedule.take(armed)
            if armed.released is None:
                armed.released = False
                self._counters.late_releases += int(armed.verdict is Verdict.PASS)
            self._report(self._outcome(armed, planned_ns))

    def _outcome(self, armed: ArmedPart, planned_ns: int) -> Actuation:
        due_ns = planned_ns + self._rules.lead_ns
        if armed.released:
            lateness_ns = armed.written_ns - planned_ns
            is_good = abs(lateness_ns) <= self._rules.window_ns and not armed.spoilt and not self._stuck
            self._counters.cut_releases += int(not is_good)
            action = EjectorAction.RELEASED if is_good else EjectorAction.FAILED
            return Actuation(armed.part, action, False, armed.written_ns, lateness_ns // 1000, due_ns)
        is_certain = not (armed.spoilt or self._stuck or self._was_open(planned_ns))
        self._counters.cut_releases += int(not is_certain)
        action = EjectorAction.DIVERTED if is_certain else EjectorAction.FAILED
        return Actuation(armed.part, action, armed.by_default, None, None, due_ns)

    def _was_open(self, planned_ns: int) -> bool:
        """Return whether the gate was open in the window of a part, even before the part was told of."""
        first_ns, last_ns = planned_ns - self._rules.window_ns, planned_ns + self._rules.window_ns
        if self.is_on and last_ns >= self._began_ns:
            return True
        for began_ns, shut_ns in reversed(self._openings):
            if shut_ns <= first_ns:
                return False
            if began_ns <= last_ns:
                return True
        return False

    def pulse_ns(self, now_ns: int) -> int | None:
        """Return when the next release begins or must have ended."""
        moments = [off_ns] if (off_ns := self._off_ns(now_ns)) is not None else []
        for armed in self._schedule.parts:
            if armed.released is None and (planned_ns := self._schedule.planned_ns(armed)) is not None:
                moments.append(planned_ns)
                break
        return min(moments, default=None)

    def wake_ns(self, now_ns: int) -> int | None:
        """Return the next beginning or end of a release, or of the first part's window."""
        pulse_ns, planned_ns = self.pulse_ns(now_ns), self._schedule.next_planned_ns()
        if planned_ns is None:
            return pulse_ns
        over_ns = planned_ns + self._rules.window_ns + 1
        return over_ns if pulse_ns is None else min(pulse_ns, over_ns)

"""Rejecting with pulses: each part that is not passed in time gets one, at its own place on the belt."""

from __future__ import annotations

from collections.abc import Callable

from inspection.ejector.commands import Counters, Report, Switch
from inspection.ejector.rules import LATE_BY_JITTER_NS, Rules
from inspection.ejector.schedule import ArmedPart, Schedule
from inspection.motion import Motion
from inspection.part import Actuation, EjectorAction, Verdict


class RejectPulses:
    """The mode of an ejector that must be pulsed to reject: a PASS in time takes the part off the schedule.

    Pulses that overlap merge (an ON each, one OFF) or queue: each has edges of its own, the first is cut as little as
    lets the second begin inside its window. A part that has passed already is reported FAILED, and nothing is written
    for it: such a pulse could only hit another part.
    """

    def __init__(
        self,
        rules: Rules,
        schedule: Schedule,
        motion: Motion,
        counters: Counters,
        report: Report,
        note: Callable[[int, int, int], None],
    ) -> None:
        """note: hears of each pulse that was written in its window: the part, its place, the moment."""
        self._rules = rules
        self._schedule = schedule
        self._motion = motion
        self._counters = counters
        self._report = report
        self._note = note
        self._in_hand: ArmedPart | None = None
        self._on_ns = 0
        self._end_ns: int | None = None
        self._free_ns = 0  # from when the next queued pulse may begin

    @property
    def is_on(self) -> bool:
        """Whether a pulse stands."""
        return self._end_ns is not None

    def decided(self, armed: ArmedPart) -> None:
        """Release a part that was passed."""
        if armed.verdict is Verdict.PASS:
            self._schedule.take(armed)
            self._report(Actuation(armed.part, EjectorAction.RELEASED, False, None, None, self._schedule.due_ns(armed)))

    def next_switch(self, now_ns: int, connected: bool) -> Switch | None:
        """Return the ON of the part that is due, else the OFF that is."""
        return self._next_on(now_ns, connected) or self._next_off(now_ns)

    def _next_on(self, now_ns: int, connected: bool) -> Switch | None:
        while (planned_ns := self._schedule.next_planned_ns()) is not None and planned_ns <= now_ns:
            too_late = now_ns - planned_ns > self._rules.window_ns + self._rules.pulse_ns
            if too_late or not connected:
                self._counters.missed_parts += int(too_late)
                self._fail(self._schedule.parts[0])
            elif self._rules.queue and (self.is_on or now_ns < self._free_ns):
                return None
            else:
                self._in_hand = self._schedule.parts[0]
                return Switch(self._rules.channel, True, is_pulse=True)
        return None

    def _next_off(self, now_ns: int) -> Switch | None:
        off_ns = self._off_ns()
        if off_ns is None or now_ns < off_ns:
            return None
        if self._rules.ends_itself:
            self._end_ns = None
            return None
        return None if self._must_wait(now_ns) else Switch(self._rules.channel, False)

    def _off_ns(self) -> int | None:
        """Return when the standing pulse ends: earlier where the next part of a queue could not be hit otherwise."""
        end_ns = self._end_ns
        planned_ns = self._schedule.next_planned_ns() if end_ns is not None and self._rules.queue else None
        if end_ns is None or planned_ns is None:
            return end_ns
        rules = self._rules
        jitter_ns = min(LATE_BY_JITTER_NS, rules.window_ns // 4)
        latest_ns = planned_ns + rules.window_ns - jitter_ns - rules.pause_ns
        return max(self._on_ns + rules.pause_ns, min(end_ns, latest_ns))

    def _must_wait(self, at_ns: int) -> bool:
        """Return whether an OFF written then would still occupy the line when the next pulse merges with this one."""
        planned_ns = self._schedule.next_planned_ns()
        return not self._rules.queue and planned_ns is not None and planned_ns - at_ns < self._rules.guard_ns

    def written(self, switch: Switch, now_ns: int) -> None:
        """Report the part that was hit, or note the end of the pulse."""
        if not switch.on:
            self._counters.shortened += int(self._end_ns is not None and now_ns < self._end_ns)
            self._counters.long_pulses += int(self._is_long(now_ns))
            self._end_ns = None
            self._free_ns = now_ns + self._rules.pause_ns
            return
        armed, self._in_hand = self._in_hand, None
        assert armed is not None
        due_ns = self._schedule.due_ns(armed)
        self._schedule.take(armed)
        planned_ns = now_ns if due_ns is None else due_ns - self._rules.lead_ns
        self._counters.pulses += 1
        self._counters.merges += int(self.is_on)
        self._counters.queued += int(self._rules.queue and planned_ns < self._free_ns)
        self._on_ns, self._end_ns = now_ns, now_ns + self._rules.pulse_ns
        timeout_ns = self._rules.encoder_timeout_ns
        is_blind = timeout_ns is not None and self._motion.silent_ns(now_ns) > timeout_ns
        self._counters.blind_pulses += int(is_blind)
        lateness_ns = now_ns - planned_ns
        in_time = abs(lateness_ns) <= self._rules.window_ns and not is_blind
        action = EjectorAction.FIRED if in_time else EjectorAction.FIRED_LATE
        if in_time:
            self._note(armed.part, armed.due, now_ns)
        self._report(Actuation(armed.part, action, armed.by_default, now_ns, lateness_ns // 1000, due_ns))

    def _is_long(self, now_ns: int) -> bool:
        """Return whether a pulse that ends now has stood for longer than other parts can be told of beforehand."""
        return self._end_ns is not None and now_ns > self._end_ns + self._rules.window_ns + self._rules.guard_ns

    def lost(self, now_ns: int) -> None:  # noqa: ARG002 — as the mode's interface has it
        """Fail the part whose pulse was to be written; every channel is off when the port is back."""
        armed, self._in_hand = self._in_hand, None
        self._end_ns = None
        if armed is not None:
            self._fail(armed)

    def restored(self, now_ns: int) -> None:
        """Do nothing: parts that were due meanwhile have been failed."""

    def _fail(self, armed: ArmedPart) -> None:
        self._schedule.take(armed)
        due_ns = self._schedule.due_ns(armed)
        self._report(Actuation(armed.part, EjectorAction.FAILED, armed.by_default, None, None, due_ns))

    def pulse_ns(self, now_ns: int) -> int | None:  # noqa: ARG002 — as the mode's interface has it
        """Return when the next pulse begins."""
        planned_ns = self._schedule.next_planned_ns()
        if planned_ns is None or not self._rules.queue:
            return planned_ns
        off_ns = self._off_ns()
        return max(planned_ns, self._free_ns if off_ns is None else off_ns + self._rules.pause_ns)

    def wake_ns(self, now_ns: int) -> int | None:
        """Return the next beginning or end of a pulse."""
        pulse_ns, off_ns = self.pulse_ns(now_ns), self._off_ns()
        if off_ns is None or self._must_wait(max(now_ns, off_ns)):
            return pulse_ns
        return off_ns if pulse_ns is None else min(off_ns, pulse_ns)

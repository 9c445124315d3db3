"""The scheduler's core: all that the ejector decides, without a clock, a port, a process or a wait."""

from __future__ import annotations

from inspection.ejector.commands import Command, Counters, Mode, ReadInputs, Report, Switch
from inspection.ejector.feedback import Feedback
from inspection.ejector.heartbeat import Heartbeat
from inspection.ejector.hindsight import Hindsight
from inspection.ejector.messages import Alive, Decide, Expect, Moved
from inspection.ejector.positive_release import PositiveRelease
from inspection.ejector.reject_pulses import RejectPulses
from inspection.ejector.rules import Rules
from inspection.ejector.schedule import Armed, Schedule
from inspection.motion import ClockMotion, EncoderMotion, Motion
from inspection.part import Actuation, EjectorAction

_REJECTED = frozenset(EjectorAction) - {EjectorAction.RELEASED, EjectorAction.REMOVED, EjectorAction.UNCONFIRMED}


class SchedulerCore:
    """Turns messages and moments into commands and reports. Deterministic; owned by one thread or one simulator.

    `report` is called with the Actuation of each part exactly once, from within `take`, `next_command`, `written`,
    `lost`, `inputs` or `give_up`. Every `now_ns` is the caller's clock and must not go back. The port counts as gone
    until `restored`. All that a caller has to do::

        core = SchedulerCore(Rules(lead_ns=4_000_000, guard_ns=5_000_000, pulse_ns=30_000_000, window_ns=5_000_000), report)
        core.restored(now_ns)                                   # the port is open, every channel is off
        core.take(Expect(part=1, due=due_ns), now_ns)           # likewise Decide, Moved and Alive, as they arrive
        while (command := core.next_command(now_ns)) is not None:
            core.written(command, now_ns)                       # or core.lost(now_ns) when it could not be written
        now_ns = core.wake_ns(now_ns)                           # nothing changes before, unless a message comes first

    A Switch is a level for a channel; ReadInputs is to be answered with `inputs` whenever the answer is there.
    `wake_ns` may lie in the past (ask at once) and is None while only a message can change anything.
    """  # noqa: E501 — the line that builds one stays whole

    def __init__(self, rules: Rules, report: Report, motion: Motion | None = None) -> None:
        if motion is None:
            motion = ClockMotion() if rules.encoder_timeout_ns is None else EncoderMotion()
        self._rules = rules
        self._motion = motion
        self._to_owner = report
        self.counters = Counters()
        self.schedule = Schedule(motion, rules.lead_ns, rules.margin_ns, rules.capacity)
        self._hindsight = Hindsight(rules, motion, self.counters, self._report)
        self._feedback = Feedback(rules, self.counters, self._hindsight.pass_on)
        self._mode = self._make_mode()
        self._heartbeat = Heartbeat(rules.heartbeat_channel, rules.heartbeat_ns, rules.alive_timeout_ns)
        self._is_connected = False

    def _make_mode(self) -> Mode:
        rules, schedule, motion, report = self._rules, self.schedule, self._motion, self._feedback.pass_on
        if rules.positive_release:
            return PositiveRelease(rules, schedule, motion, self.counters, report)
        return RejectPulses(rules, schedule, motion, self.counters, report, self._hindsight.note)

    # -- what happened -------------------------------------------------------------------------------------------

    def take(self, message: Expect | Decide | Moved | Alive, now_ns: int) -> None:
        """Take a message of the station."""
        match message:
            case Expect():
                if self.schedule.expect(message.part, message.due) is Armed.REFUSED:
                    due_ns = self._motion.when(message.due)
                    self._report(Actuation(message.part, EjectorAction.FAILED, True, None, None, due_ns))
            case Decide():
                armed = self.schedule.decide(message.part, message.verdict, now_ns)
                if armed is not None:
                    self._mode.decided(armed)
            case Moved():
                self._motion.observe(message.host_ns, message.position)
                self._hindsight.moved()
            case Alive():
                self._heartbeat.alive(now_ns)

    def restored(self, now_ns: int) -> None:
        """Take note that the port is open and every channel off."""
        self._is_connected = True
        self._mode.restored(now_ns)

    def lost(self, now_ns: int) -> None:
        """Take note that the port has gone, and with it the command that was last asked for, unless it was written."""
        self._is_connected = False
        self._mode.lost(now_ns)
        self._hindsight.give_up()

    def written(self, command: Command, now_ns: int) -> None:
        """Take note that a command was written at that moment."""
        if isinstance(command, Switch) and command.channel == self._rules.channel:
            self._mode.written(command, now_ns)

    def inputs(self, levels: int) -> None:
        """Take the answer to ReadInputs: the levels, bit 0 the first input."""
        self._feedback.inputs(levels)

    def silence(self) -> None:
        """Stop the heartbeat until the next sign of life."""
        self._heartbeat.silence()

    def give_up(self) -> None:
        """Report every part that is left: what is armed as FAILED, what awaits its confirmation as it was fired."""
        self._feedback.give_up()
        self._hindsight.give_up()
        for armed in self.schedule.pop_all():
            due_ns = self.schedule.due_ns(armed)
            self._report(Actuation(armed.part, EjectorAction.FAILED, armed.by_default, None, None, due_ns))

    # -- what to do ----------------------------------------------------------------------------------------------

    def next_command(self, now_ns: int) -> Command | None:
        """Return what is to be written now, the most urgent first; follow it with `written` or `lost`."""
        switch = self._mode.next_switch(now_ns, self._is_connected)
        if switch is not None and self._is_connected:
            return switch
        self._feedback.expire(now_ns)
        self._hindsight.expire(now_ns)
        if not self._is_connected or self._is_near(now_ns):
            return None
        level = self._heartbeat.edge(now_ns)
        if level is not None and self._rules.heartbeat_channel is not None:
            return Switch(self._rules.heartbeat_channel, level)
        return ReadInputs() if self._feedback.is_due(now_ns) else None

    def pulse_ns(self, now_ns: int) -> int | None:
        """Return the next moment that must be met exactly: a pulse begins, or a gate must be let go."""
        return self._mode.pulse_ns(now_ns)

    def wake_ns(self, now_ns: int) -> int | None:
        """Return when to ask for commands again; None while only a message can change anything."""
        moments = [self._mode.wake_ns(now_ns), self._feedback.expires_ns(), self._hindsight.expires_ns()]
        if self._is_connected:
            spare = (self._heartbeat.next_ns(), self._feedback.next_ns(now_ns))
            moments += [at_ns for at_ns in spare if at_ns is not None and not self._is_near(max(now_ns, at_ns))]
        return min((moment_ns for moment_ns in moments if moment_ns is not None), default=None)

    def _is_near(self, at_ns: int) -> bool:
        """Return whether a command written then would still occupy the line when a pulse is to be written."""
        pulse_ns = self._mode.pulse_ns(at_ns)
        return pulse_ns is not None and pulse_ns - at_ns < self._rules.guard_ns

    # -- what is -------------------------------------------------------------------------------------------------

    def is_beating(self, now_ns: int) -> bool:
        """Return whether the heartbeat runs."""
        return self._is_connected and self._heartbeat.running(now_ns)

    @property
    def is_busy(self) -> bool:
        """Whether a pulse stands or a reject awaits its confirmation, by a sensor or by the belt's next samples."""
        return self._mode.is_on or len(self._feedback) > 0 or len(self._hindsight) > 0

    def count(self) -> Counters:
        """Return what was counted so far."""
        counters = self.counters
        counters.ignored_verdicts = self.schedule.ignored_verdicts
        counters.duplicate_parts = self.schedule.duplicate_parts
        counters.refused_parts = self.schedule.refused_parts
        return counters

    def _report(self, actuation: Actuation) -> None:
        if actuation.action in _REJECTED:
            self.counters.rejects_in_a_row += 1
        elif actuation.action is EjectorAction.RELEASED:
            self.counters.rejects_in_a_row = 0
        self._to_owner(actuation)

"""Whether a pulse that was written for a place on the belt found its part there, as later samples tell."""

from __future__ import annotations

from dataclasses import dataclass, replace

from inspection.ejector.commands import Counters, Report
from inspection.ejector.rules import Rules
from inspection.motion import Motion
from inspection.part import Actuation, EjectorAction


@dataclass(slots=True)
class _Written:
    """One pulse. reach: how far the belt was taken to go within a window. told: its report, once that may go out."""

    due: int
    hits_ns: int
    reach: int
    is_good: bool | None = None
    lateness_us: int | None = None
    told: Actuation | None = None


class Hindsight:
    """The pulses that were written by an extrapolated place, until the belt's true place is known. Owned by the core.

    A pulse is written when its part *should* be there, by the speed of the last samples. A belt that brakes or speeds
    up meanwhile has its part elsewhere: then FIRED would be a lie, and FIRED_LATE is reported. So it is where no sample
    tells in time. Where the clock is the belt, there is nothing to be wise about afterwards.
    """

    def __init__(self, rules: Rules, motion: Motion, counters: Counters, report: Report) -> None:
        self._rules = rules
        self._motion = motion
        self._counters = counters
        self._report = report
        self._written: dict[int, _Written] = {}  # by part, in the order of their moments

    def __len__(self) -> int:
        return len(self._written)

    def note(self, part: int, due: int, written_ns: int) -> None:
        """Take note of a pulse, before it is reported."""
        if self._rules.encoder_timeout_ns is not None:
            hits_ns, position_at = written_ns + self._rules.lead_ns, self._motion.position_at
            reach = position_at(hits_ns + self._rules.window_ns) - position_at(hits_ns)
            self._written[part] = _Written(due, hits_ns, reach)

    def pass_on(self, actuation: Actuation) -> None:
        """Report what the ejector did; a pulse that counts as good when it is known to have been."""
        written = self._written.get(actuation.part)
        if written is None or actuation.action is not EjectorAction.FIRED:
            self._written.pop(actuation.part, None)
            self._report(actuation)
        else:
            written.told = actuation
            self._tell(actuation.part, written)

    def moved(self) -> None:
        """Look back at the pulses that the last sample tells of."""
        for part, written in list(self._written.items()):
            if self._motion.silent_ns(self._known_from_ns(written)) > 0:
                return
            if written.is_good is None:
                self._judge(written)
                self._tell(part, written)

    def expire(self, now_ns: int) -> None:
        """Give up the pulses of whose moments no sample has told in time."""
        timeout_ns = self._rules.encoder_timeout_ns or 0
        for part, written in list(self._written.items()):
            if now_ns <= self._known_from_ns(written) + timeout_ns:
                return
            self._doubt(part, written)

    def expires_ns(self) -> int | None:
        """Return when the first of them is given up."""
        timeout_ns = self._rules.encoder_timeout_ns or 0
        undecided = (one for one in self._written.values() if one.is_good is None)
        first = next(undecided, None)
        return None if first is None else self._known_from_ns(first) + timeout_ns + 1

    def give_up(self) -> None:
        """Doubt what is left: nobody will say any more, or the port has gone and perhaps never took it."""
        for part, written in list(self._written.items()):
            self._doubt(part, written)

    def _known_from_ns(self, written: _Written) -> int:
        return written.hits_ns + self._rules.window_ns

    def _judge(self, written: _Written) -> None:
        """Find out where the belt was: the part must have come to its place within a window of the pulse.

        Or it was as near its place as the belt was taken to go within a window: a belt that stops just short has its
        part in front of the ejector all the same. A place is known to a count.
        """
        window_ns, apart_ns = self._rules.window_ns, self._rules.encoder_timeout_ns
        moments_ns = (written.hits_ns - window_ns, written.hits_ns, written.hits_ns + window_ns)
        before, was, after = (self._motion.where_was(moment_ns, apart_ns) for moment_ns in moments_ns)
        if before is None or was is None or after is None:
            written.is_good = False
            self._counters.blind_pulses += 1
            return
        came = before - 1 <= written.due <= after + 1
        written.is_good = came or abs(was - written.due) <= written.reach + 1
        self._counters.misplaced_pulses += int(not written.is_good)
        if after > before:
            written.lateness_us = (was - written.due) * 2 * window_ns // ((after - before) * 1000)

    def _doubt(self, part: int, written: _Written) -> None:
        if written.is_good is None:
            written.is_good = False
            self._counters.blind_pulses += 1
            self._tell(part, written)

    def _tell(self, part: int, written: _Written) -> None:
        if written.told is None or written.is_good is None:
            return
        del self._written[part]
        if written.is_good:
            self._report(written.told)
            return
        lateness_us = written.told.lateness_us if written.lateness_us is None else written.lateness_us
        self._report(replace(written.told, action=EjectorAction.FIRED_LATE, lateness_us=lateness_us))

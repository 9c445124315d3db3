"""The ejector's process in virtual time: the real scheduler core between a link and a relay board that may fail."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from random import Random

from inspection.ejector.commands import Command, ReadInputs, Switch
from inspection.ejector.core import SchedulerCore
from inspection.ejector.messages import Alive, Decide, Expect, Moved
from inspection.ejector.rules import Rules
from inspection.part import Actuation, Verdict
from inspection.simulation.virtual.agenda import Agenda
from inspection.simulation.virtual.plan import MS

Message = Expect | Decide | Moved | Alive


class Board:
    """A relay board on a cable. Its outputs act `lead_ns` after they are written; unplugged, it is without power.

    pulse_ns: after which the board itself ends a pulse, None where it waits to be told. switched(channel, on): what the
    outputs do. blocked_until_ns: until then the port takes nothing.
    """

    SENSOR_ON_NS = 25 * MS

    def __init__(
        self, agenda: Agenda, lead_ns: int, pulse_ns: int | None, switched: Callable[[int, bool], None]
    ) -> None:
        self._agenda = agenda
        self._lead_ns = lead_ns
        self._pulse_ns = pulse_ns
        self._pulses = 0
        self._switched = switched
        self.plugged = True
        self.blocked_until_ns = 0
        self.owner: Scheduler | None = None
        self._on: set[int] = set()
        self._seen_until_ns = 0

    def write(self, switch: Switch) -> None:
        """Write one command."""
        self._set(switch.channel, switch.on)
        if switch.is_pulse and self._pulse_ns is not None:
            self._pulses += 1
            self._agenda.after(self._pulse_ns, partial(self._end_pulse, switch.channel, self._pulses))

    def _set(self, channel: int, on: bool) -> None:
        (self._on.add if on else self._on.discard)(channel)
        self._agenda.after(self._lead_ns, partial(self._switched, channel, on))

    def _end_pulse(self, channel: int, pulse: int) -> None:
        if pulse == self._pulses and channel in self._on:
            self._set(channel, False)

    def cross_sensor(self) -> None:
        """Let a part cross the sensor behind the ejector: the input is on until it has passed."""
        self._seen_until_ns = self._agenda.now_ns + self.SENSOR_ON_NS

    @property
    def inputs(self) -> int:
        """Return the levels of the inputs, bit 0 the first: the sensor behind the ejector."""
        return int(self._agenda.now_ns < self._seen_until_ns)

    def all_off(self) -> None:
        """Switch every output off that is on."""
        for channel in sorted(self._on):
            self._set(channel, False)

    def unplug(self) -> None:
        """Pull the cable: no power, every output falls off."""
        self.plugged = False
        self.all_off()

    def plug(self) -> None:
        """Put the cable in again."""
        self.plugged = True


class Scheduler:
    """What `ejector.loop` does around the core: messages, the port that comes and goes, the wait for the next moment.

    report: each part's actuation; health: whether the port is open, when that changes; pulsed: each pulse as written;
    passed: each PASS that was there in time; overran: a pulse that stood for too long, as it
    is counted or as the port went.
    """

    LINK_NS = 100_000
    WRITE_TIMEOUT_NS = 100 * MS
    RETRY_NS = 200 * MS
    ANSWER_NS = 3 * MS
    JITTER_NS = 100_000

    def __init__(
        self,
        agenda: Agenda,
        random: Random,
        rules: Rules,
        board: Board,
        report: Callable[[Actuation], None],
        health: Callable[[bool, int], None],
        pulsed: Callable[[Actuation], None],
        passed: Callable[[int], None],
        overran: Callable[[], None],
    ) -> None:
        self._agenda = agenda
        self._random = random
        self._board = board
        self._report = report
        self._health = health
        self._pulsed = pulsed
        self._passed = passed
        self._overran = overran
        self.core = self.make_core(rules)
        self._inbox: deque[Message] = deque()
        self._connected = False
        self._ended = False
        self._orphaned = False
        self._stuck = False
        self._wake_number = 0
        self._wake_ns: int | None = None
        self._connect()

    def make_core(self, rules: Rules) -> SchedulerCore:
        """Return the real core; a test that doubts this simulator makes a broken one."""
        return SchedulerCore(rules, self._told)

    # -- from outside --------------------------------------------------------------------------------------------

    def send(self, message: Message) -> None:
        """Take a message of the station; it is there a moment later."""
        if not self._ended:
            self._agenda.after(self.LINK_NS, partial(self._arrived, message))

    def orphan(self) -> None:
        """The station has died: no heartbeat any more, what is armed still fires, then the port is let go."""
        self._orphaned = True
        self.core.silence()
        self._work()

    def kill(self) -> None:
        """End at once; whatever was on stays on, and nobody is told."""
        self._ended = True
        if self._board.owner is self:
            self._board.owner = None

    @property
    def ended(self) -> bool:
        """Return whether it has let the port go."""
        return self._ended

    # -- the loop ------------------------------------------------------------------------------------------------

    def _arrived(self, message: Message) -> None:
        if self._ended or (self._orphaned and isinstance(message, Alive)):
            return
        if self._stuck:
            self._inbox.append(message)
            return
        self._take(message)
        self._work()

    def _take(self, message: Message) -> None:
        ignored = self.core.schedule.ignored_verdicts
        self.core.take(message, self._agenda.now_ns)
        counts = self.core.schedule.ignored_verdicts == ignored
        if isinstance(message, Decide) and message.verdict is Verdict.PASS and counts:
            self._passed(message.part)

    def _told(self, actuation: Actuation) -> None:
        if actuation.written_host_ns is not None:
            self._pulsed(actuation)
        self._report(actuation)

    def _connect(self) -> None:
        if self._ended or self._connected:
            return
        if not self._board.plugged or self._board.owner is not None:
            self._agenda.after(self.RETRY_NS, self._connect)
            return
        self._board.owner = self
        self._board.all_off()
        self._connected = True
        self.core.restored(self._agenda.now_ns)
        self._tell_health()
        self._work()

    def _tell_health(self) -> None:
        self._health(self._connected, self.core.counters.long_pulses)

    def _lost(self) -> None:
        self._connected = False
        self._overran()
        if self._board.owner is self:
            self._board.owner = None
        self.core.lost(self._agenda.now_ns)
        self._tell_health()
        self._agenda.after(self.RETRY_NS, self._connect)

    def _work(self) -> None:
        """Write whatever is due, then wait for the next moment."""
        now_ns = self._agenda.now_ns
        while not (self._stuck or self._ended):
            command = self.core.next_command(now_ns)
            if command is None:
                break
            self._write(command)
        if self._stuck or self._ended:
            return
        if self._orphaned and self._is_done():
            self._end()
            return
        wake_ns = self.core.wake_ns(now_ns)
        if wake_ns is not None and wake_ns != self._wake_ns:
            self._wake_ns = wake_ns
            self._wake_number += 1
            jitter_ns = int(self._random.random() * self.JITTER_NS)
            self._agenda.at(max(wake_ns, now_ns) + jitter_ns, partial(self._wake, self._wake_number))

    def _wake(self, number: int) -> None:
        if number == self._wake_number:
            self._wake_ns = None
            self._work()

    def hold(self, time_ns: int) -> None:
        """Let the operating system give the processor to something else."""
        if not (self._stuck or self._ended):
            self._stuck = True
            self._agenda.after(time_ns, self._go_on)

    def _write(self, command: Command) -> None:
        board, now_ns = self._board, self._agenda.now_ns
        if not board.plugged:
            self._lost()
        elif board.blocked_until_ns > now_ns:
            self._stuck = True
            wait_ns = board.blocked_until_ns - now_ns
            event = partial(self._unstuck, command, wait_ns <= self.WRITE_TIMEOUT_NS)
            self._agenda.after(min(wait_ns, self.WRITE_TIMEOUT_NS), event)
        else:
            self._written(command)

    def _answered(self, levels: int) -> None:
        if not self._ended and self._connected:
            self.core.inputs(levels)
            self._work()

    def _written(self, command: Command) -> None:
        if isinstance(command, ReadInputs):
            self._agenda.after(self.ANSWER_NS, partial(self._answered, self._board.inputs))
            return
        self._board.write(command)
        long_pulses = self.core.counters.long_pulses
        self.core.written(command, self._agenda.now_ns)
        if self.core.counters.long_pulses > long_pulses:
            self._overran()
            self._tell_health()

    def _unstuck(self, command: Command, taken: bool) -> None:
        if self._ended:
            return
        if taken and self._board.plugged:
            self._written(command)
        else:
            self._lost()
        self._go_on()

    def _go_on(self) -> None:
        self._stuck = False
        while self._inbox and not self._ended:
            self._take(self._inbox.popleft())
        self._work()

    def _is_done(self) -> bool:
        return self.core.schedule.next_planned_ns() is None and not self.core.is_busy

    def _end(self) -> None:
        self.core.give_up()
        self._ended = True
        if self._connected:
            self._board.all_off()
            self._board.owner = None

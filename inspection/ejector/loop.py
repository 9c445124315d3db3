"""The ejector's scheduler: one thread that waits for the station or for the next due moment, and writes pulses."""

from __future__ import annotations

import gc
import os
import select
import time
from collections import deque
from dataclasses import astuple, replace

from inspection.ejector.commands import Command, Switch
from inspection.ejector.core import SchedulerCore
from inspection.ejector.errors import EjectorLostError, EjectorOpenError
from inspection.ejector.interface import Board
from inspection.ejector.link import Link
from inspection.ejector.messages import Alive, Decide, Expect, Goodbye, Health, Moved
from inspection.ejector.realtime import sleep_until
from inspection.ejector.rules import Rules
from inspection.ejector.settings import Settings
from inspection.part import Actuation, EjectorAction

SECOND_NS = 1_000_000_000
HEALTH_PERIOD_NS = SECOND_NS
RETRY_FIRST_NS = SECOND_NS // 5
RETRY_LONGEST_NS = SECOND_NS
GOODBYE_LIMIT_NS = 5 * SECOND_NS
ORPHAN_LIMIT_NS = 60 * SECOND_NS
ANSWER_POLL_NS = 5_000_000
DENSE_NS = 2_000_000  # messages that come closer together than this on average are gathered
GATHER_NS = 2_000_000  # for how long they are gathered at least, and taken together
GATHER_LONGEST_NS = 8_000_000  # … and at most,
NOTICE_SHARE = 16  # … by this share of the time between a part's arming and its pulse
EARLY_NS = 300_000  # how long before a pulse waiting for messages ends and the exact sleep begins


class Scheduler:
    """Carries out what the core decides, over one board. Owns link, board and core; runs in its process's one thread.

    A reject that was armed fires at its planned moment whatever happens to the station. When the station has gone
    without a goodbye, the heartbeat stops at once, the armed rejects fire, and the board is left switched off.
    """

    def __init__(self, settings: Settings, link: Link, board: Board, realtime: bool) -> None:
        self._link = link
        self._board = board
        self._realtime = realtime
        self._pulse_ms = settings.pulse_ms
        self._spin_ns = round(settings.spin_us * 1e3)
        self._heard_ns = 0  # when messages were last taken
        self._is_dense = False  # whether they came thick and fast
        self._gather_ns = GATHER_NS
        rules = Rules.of(settings, board)
        self._margin_ns = rules.margin_ns
        self._core = SchedulerCore(rules, self._report)
        self._parent = os.getppid()
        self._connected = False
        self._detail = ""
        self._ever_connected = False
        self._retry_ns = 0
        self._retry_delay_ns = RETRY_FIRST_NS
        self._commands = 0
        self._held: deque[tuple[int, Actuation]] = deque()  # fired, reported once the board has answered
        self._reconnects = 0
        self._told: tuple[object, ...] = ()
        self._tell_ns = 0
        self._end_ns: int | None = None

    def run(self) -> None:
        """Work until the station says goodbye or dies, then leave every channel off."""
        try:
            while not self._finished():
                self._connect_if_due()
                self._tell_health()
                self._link.flush()
                self._wait()
                self._write_due()
                self._take_messages()
        finally:
            self._board.safe()
            self._board.close()
            self._link.flush()

    def end_within(self, limit_ns: int) -> None:
        """Begin to end: the heartbeat stops, what is armed may still fire for `limit_ns`."""
        self._core.silence()
        if self._end_ns is None:
            self._end_ns = time.monotonic_ns() + limit_ns

    def _finished(self) -> bool:
        if self._end_ns is None:
            return False
        due_ns = self._core.schedule.next_planned_ns()
        to_fire = due_ns is not None and due_ns <= self._end_ns
        if (to_fire or self._core.is_busy or self._held or self._link.congested) and (
            time.monotonic_ns() < self._end_ns
        ):
            return False
        self._core.give_up()
        self._fail_held()
        self._tell_ns = 0
        self._tell_health()
        return True

    # -- the port ------------------------------------------------------------------------------------------------

    def _connect_if_due(self) -> None:
        if self._connected or time.monotonic_ns() < self._retry_ns:
            return
        try:
            self._board.open()
        except EjectorOpenError as error:
            self._detail = str(error)
            self._retry_ns = time.monotonic_ns() + self._retry_delay_ns
            self._retry_delay_ns = min(2 * self._retry_delay_ns, RETRY_LONGEST_NS)
            gc.collect()  # tracebacks may be cyclic, and nothing else collects here
            return
        self._reconnects += int(self._ever_connected)
        self._connected = self._ever_connected = True
        self._core.restored(time.monotonic_ns())
        self._retry_delay_ns = RETRY_FIRST_NS
        priority = "" if self._realtime else "no right to real-time priority, pulses may be late under load"
        self._detail = "; ".join(filter(None, (self._board.detail, priority)))

    def _lost(self, error: EjectorLostError) -> None:
        self._board.close()
        self._connected = False
        self._detail = str(error)
        self._fail_held()
        now_ns = time.monotonic_ns()
        self._core.lost(now_ns)
        self._retry_ns = now_ns + self._retry_delay_ns

    def _write_due(self) -> None:
        """Write everything that is due, the most urgent first."""
        while (command := self._core.next_command(time.monotonic_ns())) is not None:
            try:
                self._write(command)
            except EjectorLostError as error:
                self._lost(error)
                continue
            written_ns = time.monotonic_ns()
            self._commands += 1
            self._core.written(command, written_ns)

    def _write(self, command: Command) -> None:
        if not isinstance(command, Switch):
            self._board.read_inputs()
        elif command.is_pulse:
            self._board.pulse(command.channel, self._pulse_ms)
        else:
            self._board.switch(command.channel, command.on)

    # -- waiting -------------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        """Wait for a message, an answer of the board or the next moment at which something is to be done."""
        now_ns = time.monotonic_ns()
        pulse_ns = self._core.pulse_ns(now_ns)
        if pulse_ns is not None and pulse_ns - now_ns <= EARLY_NS:
            sleep_until(pulse_ns, self._spin_ns)
            return
        wake_ns = self._wake_ns(now_ns)
        if pulse_ns is not None:
            wake_ns = min(wake_ns, pulse_ns - EARLY_NS)
        self._gather(now_ns, wake_ns)
        readers: list[Link | Board] = [] if self._link.ended else [self._link]
        if self._connected:
            readers.append(self._board)
        writers = [self._link] if self._link.congested else []
        ready, _, _ = select.select(readers, writers, [], max(0, wake_ns - time.monotonic_ns()) / 1e9)
        if writers:
            self._link.flush()
        if self._connected and (self._board in ready or self._board.unconfirmed):
            self._receive_answers()

    def _gather(self, now_ns: int, wake_ns: int) -> None:
        """Let messages gather for a moment at hundreds of parts a second: waking for each costs more than taking it.

        Never beyond the deadline of the next part's verdict, nor beyond what is to be done next.
        """
        planned_ns = self._core.schedule.next_planned_ns()
        until_ns = min(self._heard_ns + self._gather_ns, wake_ns)
        if self._is_dense and until_ns > now_ns and (planned_ns is None or planned_ns - self._margin_ns > until_ns):
            time.sleep((until_ns - now_ns) / 1e9)

    def _wake_ns(self, now_ns: int) -> int:
        """Return when the loop has to look again."""
        moments = [self._tell_ns, now_ns + HEALTH_PERIOD_NS]
        if not self._connected:
            moments.append(self._retry_ns)
        elif self._board.unconfirmed:
            moments.append(now_ns + ANSWER_POLL_NS)
        core_ns = self._core.wake_ns(now_ns)
        if core_ns is not None:
            moments.append(core_ns)
        if self._end_ns is not None:
            moments.append(self._end_ns)
        return min(moments)

    def _receive_answers(self) -> None:
        try:
            self._board.receive()
        except EjectorLostError as error:
            self._lost(error)
            return
        levels = self._board.take_inputs()
        if levels is not None:
            self._core.inputs(levels)
        confirmed = self._commands - self._board.unconfirmed
        while self._held and self._held[0][0] <= confirmed:
            self._link.send(self._held.popleft()[1])

    # -- the station ---------------------------------------------------------------------------------------------

    def _take_messages(self) -> None:
        taken = 0
        now_ns = time.monotonic_ns()
        for message in self._link.receive():
            taken += 1
            match message:
                case Expect() | Decide() | Moved():
                    self._core.take(message, time.monotonic_ns())
                case Alive() if self._end_ns is None:  # once it ends, none sets the heartbeat going again
                    self._core.take(message, time.monotonic_ns())
                case Goodbye():
                    self.end_within(GOODBYE_LIMIT_NS)
        if taken:
            self._heard(taken, now_ns)
        if self._link.ended or os.getppid() != self._parent:
            self.end_within(ORPHAN_LIMIT_NS)

    def _heard(self, count: int, now_ns: int) -> None:
        """Note how dense messages come, and for how long the next may gather."""
        self._is_dense = now_ns - self._heard_ns < DENSE_NS * count
        self._heard_ns = now_ns
        notice_ns = self._core.schedule.notice_ns(now_ns) or 0
        self._gather_ns = min(max(GATHER_NS, notice_ns // NOTICE_SHARE), GATHER_LONGEST_NS)

    def _report(self, actuation: Actuation) -> None:
        """Tell the station; what was written to a board that answers is told when it has."""
        if actuation.written_host_ns is not None and self._board.unconfirmed:
            self._held.append((self._commands, actuation))
        else:
            self._link.send(actuation)

    def _fail_held(self) -> None:
        while self._held:
            actuation = self._held.popleft()[1]
            failed = replace(actuation, action=EjectorAction.FAILED, written_host_ns=None, lateness_us=None)
            self._link.send(failed)

    def _tell_health(self) -> None:
        """Send the health when something changed, and every second."""
        now_ns = time.monotonic_ns()
        beating = self._core.is_beating(now_ns)
        counters = self._core.count()
        is_seen = counters.bin_full, counters.not_seen_in_a_row
        now_told = (self._connected, beating, self._detail, self._reconnects, is_seen)
        if now_told == self._told and now_ns < self._tell_ns:
            return
        self._told = now_told
        self._tell_ns = now_ns + HEALTH_PERIOD_NS
        counters.lost_reports = self._link.lost_reports
        self._link.send(
            Health(self._connected, beating, self._realtime, self._reconnects, astuple(counters), self._detail)
        )

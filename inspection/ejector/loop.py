"""The ejector's scheduler: one thread that waits for the station or for the next due moment, and writes pulses."""

from __future__ import annotations

import gc
import os
import select
import time
from collections import deque

from inspection.ejector.errors import EjectorLostError, EjectorOpenError
from inspection.ejector.heartbeat import Heartbeat
from inspection.ejector.interface import Board
from inspection.ejector.link import Link
from inspection.ejector.messages import Alive, Decide, Expect, Goodbye, Health
from inspection.ejector.realtime import sleep_until
from inspection.ejector.schedule import Armed, Reject, Schedule
from inspection.ejector.settings import Settings, nanoseconds
from inspection.part import Actuation, EjectorAction

SECOND_NS = 1_000_000_000
HEALTH_PERIOD_NS = SECOND_NS
RETRY_FIRST_NS = SECOND_NS // 5
RETRY_LONGEST_NS = SECOND_NS
GOODBYE_LIMIT_NS = 5 * SECOND_NS
ORPHAN_LIMIT_NS = 60 * SECOND_NS
ANSWER_POLL_NS = 5_000_000
EARLY_NS = 300_000  # how long before a pulse waiting for messages ends and the exact sleep begins
MARGIN_NS = 1_000_000  # what a heartbeat or an OFF leaves free before a pulse, beyond its own time on the line


class Scheduler:
    """Fires the rejects of a station over one board. Owns link, board and schedule; runs in its process's one thread.

    A reject that was armed fires at its planned moment whatever happens to the station. When the station has gone
    without a goodbye, the heartbeat stops at once, the armed rejects fire, and the board is left switched off.
    """

    def __init__(self, settings: Settings, link: Link, board: Board, realtime: bool) -> None:
        self._link = link
        self._board = board
        self._realtime = realtime
        self._channel = settings.channel
        self._pulse_ns = nanoseconds(settings.pulse_ms)
        self._window_us = round(settings.window_ms * 1e3)
        # A pulse that begins later than this cannot hit its part any more, only the parts after it.
        self._past_ns = nanoseconds(settings.window_ms) + self._pulse_ns
        self._spin_ns = round(settings.spin_us * 1e3)
        self._guard_ns = round(board.occupied_s * 1e9) + MARGIN_NS
        self._schedule = Schedule(nanoseconds(settings.actuator_delay_ms) + round(board.command_s * 1e9))
        self._heartbeat = Heartbeat(
            settings.heartbeat_channel, nanoseconds(settings.heartbeat_ms), nanoseconds(settings.alive_timeout_ms)
        )
        self._parent = os.getppid()
        self._connected = False
        self._detail = ""
        self._ever_connected = False
        self._retry_ns = 0
        self._retry_delay_ns = RETRY_FIRST_NS
        self._off_ns: int | None = None
        self._commands = 0
        self._held: deque[tuple[int, Actuation]] = deque()  # fired, reported once the board has answered
        self._pulses = self._merges = self._reconnects = 0
        self._told: tuple[object, ...] = ()
        self._tell_ns = 0
        self._end_ns: int | None = None

    def run(self) -> None:
        """Work until the station says goodbye or dies, then leave every channel off."""
        try:
            while not self._finished():
                self._connect_if_due()
                self._tell_health()
                self._wait()
                self._fire_due()
                self._take_messages()
                self._end_pulse()
                self._beat()
        finally:
            self._board.safe()
            self._board.close()
            self._link.flush()

    def end_within(self, limit_ns: int) -> None:
        """Begin to end: the heartbeat stops, what is armed may still fire for `limit_ns`."""
        self._heartbeat.silence()
        if self._end_ns is None:
            self._end_ns = time.monotonic_ns() + limit_ns

    def _finished(self) -> bool:
        if self._end_ns is None:
            return False
        fire_ns = self._schedule.next_planned_ns()
        to_fire = fire_ns is not None and fire_ns <= self._end_ns
        if (to_fire or self._off_ns is not None or self._held or self._link.congested) and (
            time.monotonic_ns() < self._end_ns
        ):
            return False
        for reject in self._schedule.pop_all():
            self._report_failed(reject)
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
        self._retry_delay_ns = RETRY_FIRST_NS
        priority = "" if self._realtime else "no right to real-time priority, pulses may be late under load"
        self._detail = "; ".join(filter(None, (self._board.detail, priority)))

    def _lost(self, error: EjectorLostError) -> None:
        self._board.close()
        self._connected = False
        self._detail = str(error)
        self._off_ns = None  # every channel is switched off first when the port is back
        self._fail_held()
        self._retry_ns = time.monotonic_ns() + self._retry_delay_ns

    def _switch(self, channel: int, on: bool) -> bool:
        """Write one command; return False when the port has gone."""
        if not self._connected:
            return False
        try:
            self._board.switch(channel, on)
        except EjectorLostError as error:
            self._lost(error)
            return False
        self._commands += 1
        return True

    # -- waiting -------------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        """Wait for a message, an answer of the board or the next moment at which something is to be done."""
        now_ns = time.monotonic_ns()
        fire_ns = self._schedule.next_planned_ns()
        if fire_ns is not None and fire_ns - now_ns <= EARLY_NS:
            sleep_until(fire_ns, self._spin_ns)
            return
        wake_ns = min(self._moments(now_ns))
        if fire_ns is not None:
            wake_ns = min(wake_ns, max(now_ns, fire_ns - EARLY_NS))
        readers: list[Link | Board] = [] if self._link.ended else [self._link]
        if self._connected:
            readers.append(self._board)
        writers = [self._link] if self._link.congested else []
        ready, _, _ = select.select(readers, writers, [], max(0, wake_ns - now_ns) / 1e9)
        if writers:
            self._link.flush()
        if self._connected and (self._board in ready or self._board.unconfirmed):
            self._receive_answers()

    def _moments(self, now_ns: int) -> list[int]:
        """Return when the loop has to look again, pulses apart."""
        moments = [self._tell_ns, now_ns + HEALTH_PERIOD_NS]
        if not self._connected:
            moments.append(self._retry_ns)
        elif self._board.unconfirmed:
            moments.append(now_ns + ANSWER_POLL_NS)
        if self._off_ns is not None and not self._pulse_is_near(max(now_ns, self._off_ns)):
            moments.append(self._off_ns)
        beat_ns = self._heartbeat.next_ns()
        if beat_ns is not None and not self._pulse_is_near(max(now_ns, beat_ns)):
            moments.append(beat_ns)
        if self._end_ns is not None:
            moments.append(self._end_ns)
        return moments

    def _receive_answers(self) -> None:
        try:
            self._board.receive()
        except EjectorLostError as error:
            self._lost(error)
            return
        confirmed = self._commands - self._board.unconfirmed
        while self._held and self._held[0][0] <= confirmed:
            self._link.send(self._held.popleft()[1])

    # -- the station ---------------------------------------------------------------------------------------------

    def _take_messages(self) -> None:
        for message in self._link.receive():
            now_ns = time.monotonic_ns()
            match message:
                case Expect():
                    if self._schedule.expect(*message) is Armed.REFUSED:
                        self._link.send(Actuation(message.part, EjectorAction.FAILED, True, None, None))
                case Decide():
                    if self._schedule.decide(message.part, message.verdict, now_ns):
                        self._link.send(Actuation(message.part, EjectorAction.RELEASED, False, None, None))
                case Alive():
                    if self._end_ns is None:
                        self._heartbeat.alive(now_ns)
                case Goodbye():
                    self.end_within(GOODBYE_LIMIT_NS)
        if self._link.ended or os.getppid() != self._parent:
            self.end_within(ORPHAN_LIMIT_NS)

    def _tell_health(self) -> None:
        """Send the health when something changed, and every second."""
        now_ns = time.monotonic_ns()
        beating = self._connected and self._heartbeat.running(now_ns)
        now_told = (self._connected, beating, self._detail, self._reconnects)
        if now_told == self._told and now_ns < self._tell_ns:
            return
        self._told = now_told
        self._tell_ns = now_ns + HEALTH_PERIOD_NS
        self._link.send(
            Health(
                connected=self._connected,
                heartbeat_running=beating,
                realtime=self._realtime,
                pulses=self._pulses,
                merges=self._merges,
                reconnects=self._reconnects,
                ignored_verdicts=self._schedule.ignored_verdicts,
                duplicate_parts=self._schedule.duplicate_parts,
                refused_parts=self._schedule.refused_parts,
                lost_reports=self._link.lost_reports,
                detail=self._detail,
            )
        )

    # -- the outputs ---------------------------------------------------------------------------------------------

    def _fire_due(self) -> None:
        while (reject := self._schedule.pop_due(time.monotonic_ns())) is not None:
            is_past = time.monotonic_ns() - reject.planned_ns > self._past_ns
            if is_past or not self._switch(self._channel, True):
                self._report_failed(reject)
                continue
            written_ns = time.monotonic_ns()
            self._pulses += 1
            self._merges += int(self._off_ns is not None)
            self._off_ns = written_ns + self._pulse_ns
            lateness_us = (written_ns - reject.planned_ns) // 1000
            action = EjectorAction.FIRED if abs(lateness_us) <= self._window_us else EjectorAction.FIRED_LATE
            actuation = Actuation(reject.part, action, reject.by_default, written_ns, lateness_us)
            if self._board.unconfirmed:
                self._held.append((self._commands, actuation))
            else:
                self._link.send(actuation)

    def _end_pulse(self) -> None:
        """Switch the ejector off at the end of the last pulse, unless that would delay a pulse which is near."""
        now_ns = time.monotonic_ns()
        if self._off_ns is None or now_ns < self._off_ns or self._pulse_is_near(now_ns):
            return
        if self._switch(self._channel, False):
            self._off_ns = None

    def _beat(self) -> None:
        now_ns = time.monotonic_ns()
        if self._heartbeat.channel is None or self._pulse_is_near(now_ns):
            return
        level = self._heartbeat.edge(now_ns)
        if level is not None:
            self._switch(self._heartbeat.channel, level)

    def _pulse_is_near(self, at_ns: int) -> bool:
        """Return whether a command written then would still occupy the line when the next pulse is to be written."""
        fire_ns = self._schedule.next_planned_ns()
        return fire_ns is not None and fire_ns - at_ns < self._guard_ns

    def _report_failed(self, reject: Reject) -> None:
        self._link.send(Actuation(reject.part, EjectorAction.FAILED, reject.by_default, None, None))

    def _fail_held(self) -> None:
        while self._held:
            actuation = self._held.popleft()[1]
            self._link.send(Actuation(actuation.part, EjectorAction.FAILED, actuation.by_default, None, None))

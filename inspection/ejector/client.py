"""The station's side of the ejector: it starts the ejector's process, watches over it and passes its reports on."""

from __future__ import annotations

import select
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from inspection.ejector.boards import make_board
from inspection.ejector.child import Child
from inspection.ejector.errors import EjectorError, EjectorOpenError
from inspection.ejector.interface import Ejector, EjectorHealth
from inspection.ejector.loop import GOODBYE_LIMIT_NS
from inspection.ejector.messages import (
    Alive,
    Expect,
    Goodbye,
    Health,
    Moved,
    decode_all,
    encode,
    encode_decide,
    encode_expect,
)
from inspection.ejector.process_health import ProcessHealth
from inspection.ejector.rules import lead_ns
from inspection.ejector.settings import Settings
from inspection.part import Actuation, EjectorAction, Verdict

if TYPE_CHECKING:
    from camera.frame import Trigger

OPEN_TIMEOUT_S = 15.0
HANG_S = 2.0
RESTART_FIRST_S = 0.2
RESTART_LONGEST_S = 2.0
_LOOK_S = 0.25
_TOGETHER = 64  # messages in a packet
_CLOSE_S = GOODBYE_LIMIT_NS / 1e9 + 1.5


class SerialEjector(Ejector):
    """An ejector behind a serial port. `expect`, `moved`, `decide` and `alive` are safe from any thread and never wait.

    A thread of its own receives the reports, calls the owner back, and replaces a process that ended or hung: the
    parts that were armed in it are reported FAILED, each once. It never passes a part by itself.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._child: Child | None = None
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._lock = threading.Lock()  # held for a moment: what is armed
        self._armed: set[int] = set()  # parts without a report
        self._untold: list[int] = []  # armed parts that the process could not be told of
        self._sending = threading.Lock()  # held for a non-blocking send at most; taken before _lock
        self._outbox: deque[bytes] = deque()
        self._tally = ProcessHealth(settings)
        self._heard_s = 0.0
        self._restart_s = 0.0
        self._restart_delay_s = RESTART_FIRST_S
        self._health = self._tally.without("the ejector is not open")
        self._lead_ns = lead_ns(settings, make_board(settings))

    @property
    def lead_ns(self) -> int:
        """How long before a part's due time its command is written: actuator delay plus time on the wire."""
        return self._lead_ns

    @property
    def pid(self) -> int | None:
        """The ejector process's id, None while there is none."""
        child = self._child
        return None if child is None else child.pid

    def open(
        self,
        on_actuation: Callable[[Actuation], None],
        on_health: Callable[[EjectorHealth], None],
        on_trigger: Callable[[Trigger], None] | None = None,  # noqa: ARG002 — a relay board reports none
    ) -> None:
        """Start the process and wait until its port is open."""
        if self._thread is not None:
            raise EjectorError("the ejector is open already — it opens once — close it first")
        child = Child(self._settings)
        try:
            first = child.first_health(OPEN_TIMEOUT_S)
            if not first.connected:
                raise EjectorOpenError(first.detail)
        except EjectorError:
            child.send(encode(Goodbye()))
            child.wait(2.0)
            child.hang_up()
            raise
        self._on_actuation, self._on_health = on_actuation, on_health
        self._closing.clear()
        self._armed.clear()
        self._child, self._heard_s, self._restart_delay_s = child, time.monotonic(), RESTART_FIRST_S
        self._health = self._tally.told(first)
        self._thread = threading.Thread(target=self._watch, name="ejector-reports", daemon=True)
        self._thread.start()
        on_health(self._health)

    def expect(self, part: int, due: int) -> None:
        """Arm the reject of a part; one that cannot be armed is reported FAILED."""
        with self._lock:
            if part in self._armed:
                self._tally.duplicates += 1
                return
            self._armed.add(part)
        self._send(encode_expect(part, due))

    def moved(self, host_ns: int, position: int) -> None:
        """Pass an encoder sample on; the process tells a silent encoder from a belt that stands."""
        self._send(encode(Moved(host_ns, position)))

    def decide(self, part: int, verdict: Verdict) -> None:
        """Pass the verdict on; one that cannot be passed on leaves the reject armed."""
        self._send(encode_decide(part, verdict))

    def decide_all(self, verdicts: Sequence[tuple[int, Verdict]]) -> None:
        """Pass several verdicts on, in one packet."""
        self._send(*[encode_decide(part, verdict) for part, verdict in verdicts])

    def alive(self) -> None:
        """Pass the sign of life on."""
        self._send(encode(Alive()))

    def health(self) -> EjectorHealth:
        """Return the last known health."""
        return self._health

    def close(self) -> None:
        """Say goodbye, wait for the last rejects, report what was never heard of again as UNCONFIRMED."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._closing.set()
        self._send(encode(Goodbye()))
        thread.join(_CLOSE_S)
        child = self._child
        if child is not None:
            child.wait(0.5)  # its end ends the thread, too
        thread.join(2.0)
        self._drop_child()
        self._health = self._tally.without("the ejector is closed")

    # -- the thread ----------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        try:
            while not self._ended():
                self._look()
            self._report_rest(EjectorAction.UNCONFIRMED)
        except Exception as error:  # noqa: BLE001 — the edge of this thread: its owner is told, the heartbeat stops
            self._drop_child()
            self._tell(self._tally.without(f"the ejector's receiver failed: {error!r} — restart the station"))

    def _ended(self) -> bool:
        """Return whether the process has said all that it will say, and none is to follow it."""
        child = self._child
        return self._closing.is_set() and (child is None or child.ended)

    def _look(self) -> None:
        """Wait for something to happen, and see to it."""
        child = self._child
        select.select([] if child is None else [child], [], [], _LOOK_S)
        if child is not None:
            self._take_reports(child)
        self._fail_untold()
        if child is None:
            self._restart_if_due()
        elif child.ended and not self._closing.is_set():
            self._replace(child, "ended by itself", wait_s=0.5)
        elif time.monotonic() - self._heard_s > HANG_S:
            self._replace(child, f"said nothing for {HANG_S:g} s and was ended", wait_s=0.0)

    def _take_reports(self, child: Child) -> None:
        for message in child.receive():
            match message:
                case Actuation():
                    with self._lock:
                        is_armed = message.part in self._armed
                        self._armed.discard(message.part)
                    if is_armed:
                        self._on_actuation(message)
                case Health():
                    self._heard_s = time.monotonic()
                    if message.connected:
                        self._restart_delay_s = RESTART_FIRST_S
                    self._tell(self._tally.told(message))

    def _replace(self, child: Child, what: str, wait_s: float) -> None:
        """Fail what was armed in a process that is of no use any more, and have another one started."""
        self._drop_child()
        self._tally.replaced()
        status = child.wait(wait_s)
        self._report_rest(EjectorAction.FAILED)
        self._tell(
            self._tally.without(
                f"the ejector's process {what} (exit status {status}) — parts that were armed in it are FAILED — "
                "it is started again by itself; take those parts off by hand"
            )
        )
        self._restart_s = time.monotonic() + self._restart_delay_s
        self._restart_delay_s = min(2 * self._restart_delay_s, RESTART_LONGEST_S)

    def _restart_if_due(self) -> None:
        if self._closing.is_set() or time.monotonic() < self._restart_s:
            return
        self._tally.restarts += 1
        self._heard_s = time.monotonic() + OPEN_TIMEOUT_S - HANG_S
        self._child = Child(self._settings)

    def _drop_child(self) -> None:
        with self._sending:
            child, self._child = self._child, None
            self._outbox.clear()
            if child is not None:
                child.hang_up()

    def _fail_untold(self) -> None:
        if not self._untold:
            return
        with self._lock:
            parts, self._untold = [part for part in self._untold if part in self._armed], []
            self._armed.difference_update(parts)
        self._report_all(parts, EjectorAction.FAILED)

    def _report_rest(self, action: EjectorAction) -> None:
        with self._lock:
            parts = sorted(self._armed)
            self._armed.clear()
            self._untold.clear()
        self._report_all(parts, action)

    def _report_all(self, parts: list[int], action: EjectorAction) -> None:
        for part in parts:
            self._on_actuation(Actuation(part, action, True, None, None))

    # -- from any thread -----------------------------------------------------------------------------------------

    def _send(self, *messages: bytes) -> None:
        """Send to the process there is, after what others are sending at this moment, and together with it.

        Whoever finds another thread sending leaves the message to it: nobody waits for a lock while holding the
        interpreter's, and what comes at once goes as one packet.
        """
        self._outbox.extend(messages)
        while self._outbox and self._sending.acquire(blocking=False):
            try:
                self._flush()
            finally:
                self._sending.release()

    def _flush(self) -> None:
        messages: list[bytes] = []
        while self._outbox and len(messages) < _TOGETHER:
            messages.append(self._outbox.popleft())
        packet = b"".join(messages)
        if not messages or (self._child is not None and self._child.send(packet)):
            return
        self._tally.unsent += len(messages)
        with self._lock:
            self._untold += [message.part for message in decode_all(packet) if isinstance(message, Expect)]

    def _tell(self, health: EjectorHealth) -> None:
        self._health = health
        self._on_health(health)

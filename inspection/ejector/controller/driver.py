"""The ejector behind a reject controller: the controller times and rejects by itself, this driver passes words on."""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NoReturn

from camera.frame import Trigger
from inspection.ejector.controller.conversation import Conversation, Event
from inspection.ejector.controller.errors import ControllerRefusedError
from inspection.ejector.controller.settings import ControllerSettings
from inspection.ejector.errors import EjectorError, EjectorLostError, EjectorOpenError
from inspection.ejector.interface import Ejector, EjectorHealth
from inspection.ejector.port import SerialPort
from inspection.part import Actuation, Verdict

OPEN_TIMEOUT_S = 4.0
WORDS = 4096  # verdicts that may wait for the thread; more are dropped and counted, their parts are rejected
_SILENCE_S = 1.0
_WIRE_NS = 5_000_000  # from `decide` to the controller having read it
_CLOSE_S = 3.0
_READY_POLL_S = 0.02


class ControllerEjector(Ejector):
    """A reject controller on a serial port. `decide` and `alive` are safe from any thread and never wait.

    A thread of its own talks to the controller, opens the port again when it has gone, and calls the owner back.
    on_motion: called with (host ns, count) for each sample of the controller's encoder. on_event: called with what
    only concerns the ejector itself (strangers, bin, faults).
    """

    reports_triggers = True

    def __init__(
        self,
        settings: ControllerSettings,
        on_motion: Callable[[int, int], None] | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        self._settings = settings
        self._on_motion = on_motion
        self._on_event = on_event
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._settled = threading.Event()  # the first opening succeeded, or can never
        self._words: deque[tuple[int, Verdict]] = deque(maxlen=WORDS)
        self._alive_s = 0.0
        self._wake_out = -1
        self._counts = {"dropped_verdicts": 0, "silences": 0}
        self._reconnects = -1
        self._conversation: Conversation | None = None  # from the first opening on
        self._health = self._unhealthy("the ejector is not open")

    @property
    def lead_ns(self) -> int:
        """How long before a part is at the ejector its verdict is due: the controller's deadline and the wire."""
        return self._settings.verdict_lead_ns + _WIRE_NS

    def open(
        self,
        on_actuation: Callable[[Actuation], None],
        on_health: Callable[[EjectorHealth], None],
        on_trigger: Callable[[Trigger], None] | None = None,
    ) -> None:
        """Open the port, greet and configure the controller. Raises EjectorOpenError with the next step."""
        if self._thread is not None:
            raise EjectorError("the ejector is open already — it opens once — close it first")
        self._on_health = on_health
        self._port = SerialPort(
            self._settings.port, baud=self._settings.baud, parity="N", write_timeout_s=self._settings.write_timeout_s
        )
        self._port.open()  # a port that does not exist is the caller's to hear of
        self._conversation = Conversation(
            self._settings.config,
            self._port.write,
            on_trigger=on_trigger or _nobody,
            on_actuation=on_actuation,
            on_change=self._changed,
            on_motion=self._on_motion,
            on_event=self._on_event,
        )
        self._start(self._conversation)
        self._settled.wait(OPEN_TIMEOUT_S)
        if not self._health.connected:
            self._fail(self._conversation.refusal)

    def _start(self, conversation: Conversation) -> None:
        self._closing.clear()
        self._settled.clear()
        self._words.clear()
        self._reconnects = -1
        self._wake_in, self._wake_out = os.pipe()
        os.set_blocking(self._wake_in, False)
        os.set_blocking(self._wake_out, False)
        self._thread = threading.Thread(target=self._run, args=(conversation,), name="controller-line", daemon=True)
        self._thread.start()

    def _fail(self, refusal: str) -> NoReturn:
        detail = self._health.detail if self._settled.is_set() else f"nothing answered for {OPEN_TIMEOUT_S:g} s"
        self.close()
        if refusal:
            raise ControllerRefusedError(refusal)
        raise EjectorOpenError(
            f"no reject controller answers at {self._settings.port} ({detail}) — it must run Lineward's firmware — "
            "check the port and the board"
        )

    def get_ready(self, timeout_s: float) -> bool:
        """Arm the controller, and wait until it no longer holds the ejector for what was on the belt before."""
        until_s = time.monotonic() + timeout_s
        while self._conversation is None or not self._conversation.free:
            if time.monotonic() >= until_s:
                return False
            self.alive()
            if self._closing.wait(_READY_POLL_S):
                return False
        return True

    def expect(self, part: int, due: int, *_deadline: int) -> None:
        """Do nothing: the controller armed the part's reject at its trigger."""

    def moved(self, host_ns: int, position: int) -> None:
        """Do nothing: the controller counts its own encoder."""

    def decide(self, part: int, verdict: Verdict) -> None:
        """Pass the verdict on; one that cannot be passed on leaves the reject armed."""
        if len(self._words) >= WORDS:
            self._counts["dropped_verdicts"] += 1
            return
        self._words.append((part, verdict))
        self._wake()

    def alive(self) -> None:
        """Let the heartbeat go on; the first call arms the controller."""
        self._alive_s = time.monotonic()

    def health(self) -> EjectorHealth:
        """Return the last known health."""
        return self._health

    def close(self) -> None:
        """Disarm, report what is still on its way as UNCONFIRMED (it is rejected unless it was passed), go."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._closing.set()
        self._wake()
        thread.join(_CLOSE_S)
        self._health = self._unhealthy("the ejector is closed")
        if not thread.is_alive():
            os.close(self._wake_in)
            wake, self._wake_out = self._wake_out, -1
            os.close(wake)

    # -- the thread ----------------------------------------------------------------------------------------------

    def _run(self, conversation: Conversation) -> None:
        try:
            conversation.begin()
            while not self._closing.is_set():
                try:
                    self._converse(conversation)
                except EjectorLostError as error:
                    self._lose(conversation, str(error))
                    self._reopen(conversation)
            self._end(conversation)
        except Exception as error:  # noqa: BLE001 — the edge of this thread: its owner is told, the heartbeat stops
            self._tell(self._unhealthy(f"the controller's driver failed: {error!r} — restart the station"))
            self._settled.set()
        finally:
            self._port.close()

    def _converse(self, conversation: Conversation) -> None:
        """Say what is due, wait for something to happen, and hear it. Raises EjectorLostError."""
        now_ns = time.monotonic_ns()
        self._pass_words_on(conversation, now_ns)
        conversation.tick(now_ns, time.monotonic() - self._alive_s < self._settings.alive_timeout_s)
        wait_s = max(0.0, (conversation.next_ns(now_ns) - time.monotonic_ns()) / 1e9)
        ready, _, _ = select.select([self._port.fileno(), self._wake_in], [], [], wait_s)
        if self._wake_in in ready:
            os.read(self._wake_in, 4096)
        if self._port.fileno() in ready:
            while data := self._port.read():
                conversation.hear(data, time.monotonic_ns())
        if time.monotonic() - conversation.heard_s > _SILENCE_S + 3 * self._settings.config.status_period_ms / 1e3:
            self._counts["silences"] += 1
            raise EjectorLostError(
                f"the controller at {self._settings.port} says nothing — it rejects every part by itself as long as it "
                "has power — check the board; the port is opened again by itself"
            )

    def _changed(self) -> None:
        """Tell how it is, after something of weight was heard."""
        conversation = self._conversation
        assert conversation is not None
        if conversation.refusal:
            self._tell(self._unhealthy(conversation.refusal))
            self._settled.set()
        elif not conversation.ready:
            self._tell(self._unhealthy("the controller was reset and is configured — what was on its way is rejected"))
        else:
            self._reconnects += not self._health.connected
            fault = conversation.last_fault
            self._tell(self._told(True, f"last fault: {fault}" if fault else "", conversation.armed))
            self._settled.set()

    def _pass_words_on(self, conversation: Conversation, now_ns: int) -> None:
        while self._words:
            part, verdict = self._words.popleft()
            if not conversation.judge(part, verdict, now_ns):
                self._counts["dropped_verdicts"] += 1

    def _lose(self, conversation: Conversation, detail: str) -> None:
        """The line has gone: the controller rejects what was on its way; nobody will tell us."""
        self._port.close()
        self._words.clear()
        self._tell(self._unhealthy(detail))
        conversation.give_up()

    def _reopen(self, conversation: Conversation) -> None:
        """Try to open the port again until it is there or we are closed."""
        while not self._closing.wait(self._settings.reopen_s):
            try:
                self._port.open()
                conversation.begin()
            except EjectorError:
                self._port.close()
                continue
            return

    def _end(self, conversation: Conversation) -> None:
        try:
            if conversation.ready:
                self._pass_words_on(conversation, time.monotonic_ns())
                conversation.disarm()
        except EjectorLostError as error:
            self._tell(self._unhealthy(str(error)))
        conversation.give_up()

    # -- from any thread -----------------------------------------------------------------------------------------

    def _wake(self) -> None:
        try:
            os.write(self._wake_out, b"\0")
        except OSError:
            return  # as many wake-ups as fit are waiting already, or nobody is there to be woken

    def _tell(self, health: EjectorHealth) -> None:
        self._health = health
        self._on_health(health)

    def _unhealthy(self, detail: str) -> EjectorHealth:
        return self._told(False, detail, False)

    def _told(self, connected: bool, detail: str, armed: bool) -> EjectorHealth:
        conversation = self._conversation
        return EjectorHealth(
            connected=connected,
            port=self._settings.port,
            driver="controller",
            detail=detail,
            pulses=0 if conversation is None else conversation.pulses,
            reconnects=max(0, self._reconnects),
            heartbeat_running=armed,
            realtime=True,  # the controller times, whatever this machine does
            counters=dict(self._counts) if conversation is None else self._counts | conversation.counters(),
        )


def _nobody(_trigger: Trigger) -> None:
    """Take a trigger that nobody wants to hear of."""

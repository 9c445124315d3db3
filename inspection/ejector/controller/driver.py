"""The ejector behind a reject controller: the controller times and rejects by itself, this driver passes words on."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable

from camera.frame import Trigger
from inspection.ejector.controller.conversation import Conversation, Event, Listeners
from inspection.ejector.controller.errors import ControllerRefusedError
from inspection.ejector.controller.settings import ControllerSettings
from inspection.ejector.errors import EjectorError, EjectorLostError, EjectorOpenError
from inspection.ejector.interface import Ejector, EjectorHealth
from inspection.ejector.port import SerialPort
from inspection.part import Actuation, Verdict

OPEN_TIMEOUT_S = 4.0
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
        self._wake_out = -1
        self._talk = self._meet(lambda _actuation: None, lambda _health: None, None)

    def _meet(
        self,
        on_actuation: Callable[[Actuation], None],
        on_health: Callable[[EjectorHealth], None],
        on_trigger: Callable[[Trigger], None] | None,
    ) -> Conversation:
        def tell(health: EjectorHealth) -> None:
            on_health(health)
            if health.connected or self._talk.session.refusal:
                self._settled.set()

        listeners = Listeners(on_actuation, tell, on_trigger or _nobody, self._on_motion, self._on_event)
        return Conversation(self._settings, lambda data: self._port.write(data), listeners)

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
        self._port = SerialPort(
            self._settings.port, baud=self._settings.baud, parity="N", write_timeout_s=self._settings.write_timeout_s
        )
        self._port.open()  # a port that does not exist is the caller's to hear of
        self._talk = self._meet(on_actuation, on_health, on_trigger)
        self._closing.clear()
        self._settled.clear()
        self._wake_in, self._wake_out = os.pipe()
        os.set_blocking(self._wake_in, False)
        os.set_blocking(self._wake_out, False)
        self._thread = threading.Thread(target=self._run, name="controller-line", daemon=True)
        self._thread.start()
        self._settled.wait(OPEN_TIMEOUT_S)
        if not self.health().connected:
            self._give_up_opening()

    def _give_up_opening(self) -> None:
        health, refusal = self.health(), self._talk.session.refusal
        self.close()
        if refusal:
            raise ControllerRefusedError(refusal)
        detail = health.detail if self._settled.is_set() else f"nothing answered for {OPEN_TIMEOUT_S:g} s"
        raise EjectorOpenError(
            f"no reject controller answers at {self._settings.port} ({detail}) — it must run Lineward's firmware — "
            "check the port and the board"
        )

    def get_ready(self, timeout_s: float) -> bool:
        """Arm the controller, and wait until it no longer holds the ejector for what was on the belt before."""
        until_s = time.monotonic() + timeout_s
        while not self._talk.is_ready:
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
        if self._talk.decide(part, verdict):
            self._wake()

    def alive(self) -> None:
        """Let the heartbeat go on; the first call arms the controller."""
        self._talk.alive(time.monotonic_ns())

    def health(self) -> EjectorHealth:
        """Return the last known health."""
        return self._talk.health

    def close(self) -> None:
        """Disarm, report what is still on its way as UNCONFIRMED (it is rejected unless it was passed), go."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._closing.set()
        self._wake()
        thread.join(_CLOSE_S)
        self._talk.health = self._talk.unhealthy("the ejector is closed")
        if not thread.is_alive():
            os.close(self._wake_in)
            wake, self._wake_out = self._wake_out, -1
            os.close(wake)

    # -- the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        talk = self._talk
        try:
            talk.begin(time.monotonic_ns())
            while not self._closing.is_set():
                try:
                    self._converse()
                except EjectorLostError as error:
                    self._port.close()
                    talk.lose(str(error))
                    self._reopen()
            talk.end(time.monotonic_ns())
        except Exception as error:  # noqa: BLE001 — the edge of this thread: its owner is told, the heartbeat stops
            talk.tell(talk.unhealthy(f"the controller's driver failed: {error!r} — restart the station"))
            self._settled.set()
        finally:
            self._port.close()

    def _converse(self) -> None:
        """Say what is due, wait for something to happen, and hear it. Raises EjectorLostError."""
        talk, now_ns = self._talk, time.monotonic_ns()
        talk.tick(now_ns)
        wait_s = max(0.0, (talk.next_ns(now_ns) - time.monotonic_ns()) / 1e9)
        ready, _, _ = select.select([self._port.fileno(), self._wake_in], [], [], wait_s)
        if self._wake_in in ready:
            os.read(self._wake_in, 4096)
        if self._port.fileno() in ready:
            while data := self._port.read():
                talk.hear(data, time.monotonic_ns())

    def _reopen(self) -> None:
        """Try to open the port again until it is there or we are closed."""
        while not self._closing.wait(self._settings.reopen_s):
            try:
                self._port.open()
                self._talk.begin(time.monotonic_ns())
            except EjectorError:
                self._port.close()
                continue
            return

    def _wake(self) -> None:
        try:
            os.write(self._wake_out, b"\0")
        except OSError:
            return  # as many wake-ups as fit are waiting already, or nobody is there to be woken


def _nobody(_trigger: Trigger) -> None:
    """Take a trigger that nobody wants to hear of."""

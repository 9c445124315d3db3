"""The ejector behind a reject controller: the controller times and rejects by itself, this driver passes words on."""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable

from camera.frame import Trigger
from inspection.ejector.controller.book import PartBook
from inspection.ejector.controller.clock import DeviceClock
from inspection.ejector.controller.errors import ControllerRefusedError
from inspection.ejector.controller.frame import FrameReader
from inspection.ejector.controller.session import Session
from inspection.ejector.controller.settings import ControllerSettings
from inspection.ejector.controller.wire import (
    Ack,
    BinFull,
    ConfigFlag,
    EncoderSample,
    FaultCode,
    FaultReport,
    Info,
    Result,
    StatusReport,
    Stranger,
    Told,
    TriggerReport,
    Type,
    read,
    recall,
)
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
_HOLDING = 1  # STATUS flag: the ejector is held for parts that nobody knows


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
        on_event: Callable[[Stranger | BinFull | FaultReport], None] | None = None,
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
        self._counts = {"dropped_verdicts": 0, "silences": 0, "strangers": 0, "faults": 0, "bin_full": 0}
        self._fault = ""
        self._reconnects = -1
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
        config = self._settings.config
        self._on_health = on_health
        self._clock = DeviceClock()
        self._book = PartBook(
            lambda device_us: self._clock.host_ns(device_us),
            on_trigger or _nobody,
            on_actuation,
            lead_us=config.lead_us,
            timed=not config.flags & ConfigFlag.DELAY_COUNTS,
        )
        self._port = SerialPort(
            self._settings.port, baud=self._settings.baud, parity="N", write_timeout_s=self._settings.write_timeout_s
        )
        self._port.open()  # a port that does not exist is the caller's to hear of
        self._closing.clear()
        self._settled.clear()
        self._words.clear()
        self._reconnects = -1
        self._wake_in, self._wake_out = os.pipe()
        os.set_blocking(self._wake_in, False)
        os.set_blocking(self._wake_out, False)
        self._thread = threading.Thread(target=self._run, name="controller-line", daemon=True)
        self._thread.start()
        self._settled.wait(OPEN_TIMEOUT_S)
        if not self._health.connected:
            health = self._health
            self.close()
            if self._session.refusal:
                raise ControllerRefusedError(self._session.refusal)
            detail = health.detail if self._settled.is_set() else f"nothing answered for {OPEN_TIMEOUT_S:g} s"
            raise EjectorOpenError(
                f"no reject controller answers at {self._settings.port} ({detail}) — it must run Lineward's firmware — "
                "check the port and the board"
            )

    def get_ready(self, timeout_s: float) -> bool:
        """Arm the controller, and wait until it no longer holds the ejector for what was on the belt before."""
        until_s = time.monotonic() + timeout_s
        while not self._is_ready():
            if time.monotonic() >= until_s:
                return False
            self.alive()
            self._closing.wait(_READY_POLL_S)
        return True

    def _is_ready(self) -> bool:
        status = self._session.status
        return self._session.armed and status is not None and not status.flags & _HOLDING

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

    def _run(self) -> None:
        try:
            self._begin()
            while not self._closing.is_set():
                try:
                    self._converse()
                except EjectorLostError as error:
                    self._lose(str(error))
                    self._reopen()
            self._end()
        except Exception as error:  # noqa: BLE001 — the edge of this thread: its owner is told, the heartbeat stops
            self._tell(self._unhealthy(f"the controller's driver failed: {error!r} — restart the station"))
            self._settled.set()
        finally:
            self._port.close()

    def _begin(self) -> None:
        """Begin a conversation on the port that has just been opened."""
        self._reader = FrameReader()
        self._session = Session(self._settings.config, self._port.write)
        self._session.begin()
        self._heard_s = time.monotonic()

    def _converse(self) -> None:
        """Say what is due, wait for something to happen, and hear it. Raises EjectorLostError."""
        now_ns = time.monotonic_ns()
        self._pass_words_on(now_ns)
        self._session.tick(now_ns, time.monotonic() - self._alive_s < self._settings.alive_timeout_s)
        wait_s = max(0.0, (self._session.next_ns(now_ns) - time.monotonic_ns()) / 1e9)
        ready, _, _ = select.select([self._port.fileno(), self._wake_in], [], [], wait_s)
        if self._wake_in in ready:
            os.read(self._wake_in, 4096)
        if self._port.fileno() in ready:
            self._hear()
        if time.monotonic() - self._heard_s > _SILENCE_S + 3 * self._settings.config.status_period_ms / 1e3:
            self._counts["silences"] += 1
            raise EjectorLostError(
                f"the controller at {self._settings.port} says nothing — it rejects every part by itself as long as it "
                "has power — check the board; the port is opened again by itself"
            )

    def _hear(self) -> None:
        while data := self._port.read():
            arrived_ns = time.monotonic_ns()
            for frame in self._reader.feed(data):
                told = read(frame)
                if told is not None:
                    self._heard_s = time.monotonic()
                    self._take(told, arrived_ns)

    def _take(self, told: Told, arrived_ns: int) -> None:
        match told:
            case Info():
                self._greet(told, arrived_ns)
            case Ack():
                self._session.answered(told)
                self._report_readiness()
            case StatusReport() if not self._book.knows(told.boot_id):
                self._begin()  # it was reset, and we missed its INFO
            case StatusReport():
                self._clock.heard(told.now_device_us, arrived_ns)
                self._session.compared(told)
                self._recall(self._book.compared(told))
                self._tell(self._healthy())
            case _ if self._session.info is None:
                return  # of a start that we have not been introduced to
            case TriggerReport():
                if not told.flags:
                    self._clock.heard(told.at_device_us, arrived_ns)
                self._recall(self._book.triggered(told))
            case Result():
                self._session.settled(told.tag)
                self._recall(self._book.resulted(told))
            case EncoderSample():
                self._clock.heard(told.at_device_us, arrived_ns)
                if self._on_motion is not None:
                    self._on_motion(self._clock.host_ns(told.at_device_us), told.position)
            case Stranger() | BinFull() | FaultReport():
                self._note(told)

    def _greet(self, info: Info, arrived_ns: int) -> None:
        if not self._book.knows(info.boot_id):
            if self._session.info is not None:
                self._begin()  # a reset in the middle of the conversation
            self._clock = DeviceClock()
        self._clock.heard(info.now_device_us, arrived_ns)
        self._session.informed(info)
        if not self._session.refusal:
            self._recall(self._book.meet(info))
        else:
            self._tell(self._unhealthy(self._session.refusal))
            self._settled.set()

    def _report_readiness(self) -> None:
        if self._session.refusal:
            self._tell(self._unhealthy(self._session.refusal))
            self._settled.set()
        elif self._session.ready and not self._health.connected:
            self._reconnects += 1
            self._tell(self._healthy())
            self._settled.set()

    def _note(self, told: Stranger | BinFull | FaultReport) -> None:
        match told:
            case Stranger():
                self._counts["strangers"] += 1
            case BinFull():
                self._counts["bin_full"] = told.full
            case FaultReport():
                self._counts["faults"] += 1
                known = told.code in set(FaultCode)
                self._fault = f"{FaultCode(told.code).name if known else told.code} ({told.value})"
        if self._on_event is not None:
            self._on_event(told)

    def _pass_words_on(self, now_ns: int) -> None:
        while self._words:
            part, verdict = self._words.popleft()
            known = self._book.tag_of(part)
            if known is None:
                self._counts["dropped_verdicts"] += 1  # reported already, or its epoch is not known yet: it is rejected
            else:
                self._session.judge(*known, verdict is Verdict.PASS, now_ns)

    def _recall(self, tags: list[int]) -> None:
        for tag in tags:
            self._session.tell(recall(tag))

    def _lose(self, detail: str) -> None:
        """The line has gone: the controller rejects what was on its way; nobody will tell us."""
        self._port.close()
        self._words.clear()
        self._tell(self._unhealthy(detail))
        self._book.give_up()

    def _reopen(self) -> None:
        """Try to open the port again until it is there or we are closed."""
        while not self._closing.wait(self._settings.reopen_s):
            try:
                self._port.open()
                self._begin()
            except EjectorError:
                self._port.close()
                continue
            return

    def _end(self) -> None:
        try:
            if self._session.ready:
                self._pass_words_on(time.monotonic_ns())
                self._session.tell((Type.DISARM, b""))
        except EjectorLostError as error:
            self._tell(self._unhealthy(str(error)))
        self._book.give_up()

    # -- from any thread -----------------------------------------------------------------------------------------

    def _wake(self) -> None:
        try:
            os.write(self._wake_out, b"\0")
        except OSError:
            return  # as many wake-ups as fit are waiting already, or nobody is there to be woken

    def _tell(self, health: EjectorHealth) -> None:
        self._health = health
        self._on_health(health)

    def _healthy(self) -> EjectorHealth:
        if not self._session.ready:
            return self._unhealthy("the controller was reset and is being configured — what was on its way is rejected")
        return self._told(True, f"last fault: {self._fault}" if self._fault else "", self._session.armed)

    def _unhealthy(self, detail: str) -> EjectorHealth:
        return self._told(False, detail, False)

    def _told(self, connected: bool, detail: str, armed: bool) -> EjectorHealth:
        counters = dict(self._counts)
        session = getattr(self, "_session", None)
        status = None if session is None else session.status
        if session is not None:
            counters.update({f"refused_{name}": count for name, count in session.refused.items()})
            counters["lost_triggers"] = self._book.lost_triggers
            counters["unknown_results"] = self._book.unknown_results
            counters["controller_resets"] = self._book.resets
        if status is not None:
            counters.update({name: getattr(status, name) for name in status._fields[9:]})
        return EjectorHealth(
            connected=connected,
            port=self._settings.port,
            driver="controller",
            detail=detail,
            pulses=0 if status is None else status.rejected + status.by_default,
            reconnects=max(0, self._reconnects),
            heartbeat_running=armed,
            realtime=True,  # the controller times, whatever this machine does
            counters=counters,
        )


def _nobody(_trigger: Trigger) -> None:
    """Take a trigger that nobody wants to hear of."""

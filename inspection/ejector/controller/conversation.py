"""What driver and controller have to tell one another, on whatever carries their bytes, by a clock handed in."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from camera.frame import Trigger
from inspection.ejector.controller.book import PartBook
from inspection.ejector.controller.clock import DeviceClock
from inspection.ejector.controller.frame import FrameReader
from inspection.ejector.controller.session import MS, Session
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
    StatusFlag,
    StatusReport,
    Stranger,
    Told,
    TriggerReport,
    Type,
    read,
    recall,
)
from inspection.ejector.errors import EjectorLostError
from inspection.ejector.interface import EjectorHealth
from inspection.part import Actuation, Verdict

Event = Stranger | BinFull | FaultReport

WORDS = 4096  # verdicts that may wait for the driver's thread; more are dropped and counted, their parts are rejected
_SILENCE_NS = 1_000 * MS


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who is told what: each trigger and report of a part, the health, encoder samples (host ns, count), and the rest.

    All are called by whoever calls the conversation.
    """

    actuation: Callable[[Actuation], None]
    health: Callable[[EjectorHealth], None]
    trigger: Callable[[Trigger], None] = lambda _trigger: None
    motion: Callable[[int, int], None] | None = None
    event: Callable[[Event], None] | None = None


class Conversation:
    """One driver's dealings with its controller, over resets of it and openings of its port.

    No thread, no port and no clock: bytes come in through `hear` and leave through `write`, moments are handed in.
    Owned by the driver's thread; only `decide` and `alive` may be called from any.
    """

    def __init__(self, settings: ControllerSettings, write: Callable[[bytes], None], listeners: Listeners) -> None:
        config = settings.config
        self._settings = settings
        self._write = write
        self._to = listeners
        self._clock = DeviceClock()
        self.book = PartBook(
            lambda device_us: self._clock.host_ns(device_us),
            listeners.trigger,
            listeners.actuation,
            lead_us=config.lead_us,
            timed=not config.flags & ConfigFlag.DELAY_COUNTS,
        )
        self._words: deque[tuple[int, Verdict]] = deque(maxlen=WORDS)
        self._alive_ns: int | None = None
        self._heard_ns = 0
        self._position = self._position_base = 0
        self._counts = {"dropped_verdicts": 0, "silences": 0, "strangers": 0, "faults": 0, "bin_full": 0}
        self._fault = ""
        self._reconnects = -1
        self.session = Session(config, write)
        self._reader = FrameReader()
        self.health = self.unhealthy("the ejector is not open")

    # -- from any thread -----------------------------------------------------------------------------------------

    def decide(self, part: int, verdict: Verdict) -> bool:
        """Take a verdict to be passed on with the next `tick`; False for one that finds no room: it stays a reject."""
        if len(self._words) >= WORDS:
            self._counts["dropped_verdicts"] += 1
            return False
        self._words.append((part, verdict))
        return True

    def alive(self, now_ns: int) -> None:
        """Let the heartbeat go on; the first call arms the controller."""
        self._alive_ns = now_ns

    @property
    def is_ready(self) -> bool:
        """Return whether the controller is armed, and no longer holds the ejector for what was on the belt before."""
        status = self.session.status
        return self.session.armed and status is not None and not status.flags & StatusFlag.HOLDING

    # -- by the driver's thread ----------------------------------------------------------------------------------

    def begin(self, now_ns: int) -> None:
        """Begin on a port that has just been opened."""
        self._heard_ns = now_ns
        self._restart()

    def _restart(self) -> None:
        self._reader = FrameReader()
        self.session = Session(self._settings.config, self._write)
        self.session.begin()

    def tick(self, now_ns: int) -> None:
        """Say what is due. Raises EjectorLostError when the controller has said nothing for too long."""
        if now_ns - self._heard_ns > _SILENCE_NS + 3 * self._settings.config.status_period_ms * MS:
            self._counts["silences"] += 1
            raise EjectorLostError(
                f"the controller at {self._settings.port} says nothing — it rejects every part by itself as long as it "
                "has power — check the board; the port is opened again by itself"
            )
        self._pass_words_on(now_ns)
        alive_ns = self._alive_ns
        is_alive = alive_ns is not None and now_ns - alive_ns < self._settings.alive_timeout_s * 1e9
        self.session.tick(now_ns, is_alive)

    def next_ns(self, now_ns: int) -> int:
        """Return when `tick` is wanted again at the latest; at once where words wait."""
        return now_ns if self._words else self.session.next_ns(now_ns)

    def hear(self, data: bytes, arrived_ns: int) -> None:
        """Take bytes that have arrived."""
        for frame in self._reader.feed(data):
            told = read(frame)
            if told is not None:
                self._heard_ns = arrived_ns
                self._take(told, arrived_ns)

    def lose(self, detail: str) -> None:
        """Take note that the line has gone: the controller rejects what was on its way; nobody will tell us."""
        self._words.clear()
        self.tell(self.unhealthy(detail))
        self.book.give_up()

    def end(self, now_ns: int) -> None:
        """Disarm, and report what is still on its way as UNCONFIRMED."""
        try:
            if self.session.ready:
                self._pass_words_on(now_ns)
                self.session.tell((Type.DISARM, b""))
        except EjectorLostError as error:
            self.tell(self.unhealthy(str(error)))
        self.book.give_up()

    def _take(self, told: Told, arrived_ns: int) -> None:
        match told:
            case Info():
                self._greet(told, arrived_ns)
            case Ack():
                self.session.answered(told)
                self._report_readiness()
            case StatusReport() if not self.book.knows(told.boot_id):
                self._restart()  # it was reset, and we missed its INFO
            case StatusReport():
                self._clock.heard(told.now_device_us, arrived_ns)
                self.session.compared(told)
                self._recall(self.book.compared(told))
                self.tell(self._healthy())
            case _ if self.session.info is None:
                return  # of a start that we have not been introduced to
            case TriggerReport():
                if not told.flags:
                    self._clock.heard(told.at_device_us, arrived_ns)
                self._recall(self.book.triggered(told))
            case Result():
                self.session.settled(told.tag)
                self._recall(self.book.resulted(told))
            case EncoderSample():
                self._clock.heard(told.at_device_us, arrived_ns)
                self._follow(told)
            case Stranger() | BinFull() | FaultReport():
                self._note(told)

    def _follow(self, sample: EncoderSample) -> None:
        """Pass a sample on; the counts go on where they were when the controller begins at 0 again."""
        self._position = self._position_base + sample.position
        if self._to.motion is not None:
            self._to.motion(self._clock.host_ns(sample.at_device_us), self._position)

    def _greet(self, info: Info, arrived_ns: int) -> None:
        if not self.book.knows(info.boot_id):
            if self.session.info is not None:
                self._restart()  # a reset in the middle of the conversation
            self._clock = DeviceClock()
            self._position_base = self._position
        self._clock.heard(info.now_device_us, arrived_ns)
        self.session.informed(info)
        if not self.session.refusal:
            self._recall(self.book.meet(info))
        else:
            self.tell(self.unhealthy(self.session.refusal))

    def _report_readiness(self) -> None:
        if self.session.refusal:
            self.tell(self.unhealthy(self.session.refusal))
        elif self.session.ready and not self.health.connected:
            self._reconnects += 1
            self.tell(self._healthy())

    def _note(self, told: Event) -> None:
        match told:
            case Stranger():
                self._counts["strangers"] += 1
            case BinFull():
                self._counts["bin_full"] = told.full
            case FaultReport():
                self._counts["faults"] += 1
                known = told.code in set(FaultCode)
                self._fault = f"{FaultCode(told.code).name if known else told.code} ({told.value})"
        if self._to.event is not None:
            self._to.event(told)

    def _pass_words_on(self, now_ns: int) -> None:
        while self._words:
            part, verdict = self._words.popleft()
            known = self.book.tag_of(part)
            if known is None:
                self._counts["dropped_verdicts"] += 1  # reported already, or its epoch is not known yet: it is rejected
            else:
                self.session.judge(*known, verdict is Verdict.PASS, now_ns)

    def _recall(self, tags: list[int]) -> None:
        for tag in tags:
            self.session.tell(recall(tag))

    # -- health --------------------------------------------------------------------------------------------------

    def tell(self, health: EjectorHealth) -> None:
        """Make a health known."""
        self.health = health
        self._to.health(health)

    def _healthy(self) -> EjectorHealth:
        if not self.session.ready:
            return self.unhealthy("the controller was reset and is being configured — what was on its way is rejected")
        return self._told(True, f"last fault: {self._fault}" if self._fault else "", self.session.armed)

    def unhealthy(self, detail: str) -> EjectorHealth:
        """Return a health that lets nothing pass."""
        return self._told(False, detail, False)

    def _told(self, connected: bool, detail: str, armed: bool) -> EjectorHealth:
        status = self.session.status
        counters = {
            **self._counts,
            **{f"refused_{name}": count for name, count in self.session.refused.items()},
            "lost_triggers": self.book.lost_triggers,
            "unknown_results": self.book.unknown_results,
            "controller_resets": self.book.resets,
        }
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

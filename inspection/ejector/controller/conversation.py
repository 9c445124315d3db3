"""What controller and host say to each other, over all openings of the port and all resets of the controller."""

from __future__ import annotations

import time
from collections.abc import Callable

from camera.frame import Trigger
from inspection.ejector.controller.book import PartBook
from inspection.ejector.controller.clock import DeviceClock
from inspection.ejector.controller.frame import FrameReader
from inspection.ejector.controller.session import Session
from inspection.ejector.controller.wire import (
    Ack,
    BinFull,
    Config,
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
from inspection.part import Actuation, Verdict

Event = Stranger | BinFull | FaultReport


class Conversation:
    """Understands what arrives and says what is due, on the driver's thread; it owns no port and never waits.

    write: takes the bytes for the line. on_change: called when it has become usable or was told its status, and when
    the controller refuses us. on_motion: called with (host ns, count) for each sample of the controller's encoder.
    on_event: called with what only concerns the ejector itself. What `counters` and the properties tell may be read
    from any thread.
    """

    def __init__(
        self,
        config: Config,
        write: Callable[[bytes], None],
        *,
        on_trigger: Callable[[Trigger], None],
        on_actuation: Callable[[Actuation], None],
        on_change: Callable[[], None],
        on_motion: Callable[[int, int], None] | None,
        on_event: Callable[[Event], None] | None,
    ) -> None:
        self._config = config
        self._write = write
        self._on_change = on_change
        self._on_motion = on_motion
        self._on_event = on_event
        self._clock = DeviceClock()
        self._book = PartBook(
            lambda device_us: self._clock.host_ns(device_us),
            on_trigger,
            on_actuation,
            lead_us=config.lead_us,
            timed=not config.flags & ConfigFlag.DELAY_COUNTS,
        )
        self._counts = {"strangers": 0, "faults": 0, "bin_full": 0}
        self.last_fault = ""
        self._reader = FrameReader()
        self._session = Session(config, write)
        self.heard_s = time.monotonic()
        """When a message was understood last."""

    # -- what it knows -------------------------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Whether the controller is greeted and configured."""
        return self._session.ready

    @property
    def armed(self) -> bool:
        """Whether the controller lets the belt run and takes verdicts."""
        return self._session.armed

    @property
    def free(self) -> bool:
        """Whether it is armed and no longer holds the ejector for what was on the belt before."""
        status = self._session.status
        return self._session.armed and status is not None and not status.flags & StatusFlag.HOLDING

    @property
    def refusal(self) -> str:
        """Why the controller can never be used as it is; empty where it can."""
        return self._session.refusal

    @property
    def unanswered(self) -> bool:
        """Whether a verdict was told that the controller has not answered yet."""
        return self._session.unanswered

    @property
    def pulses(self) -> int:
        """How many parts the controller has rejected since its start."""
        status = self._session.status
        return 0 if status is None else status.rejected + status.by_default

    def counters(self) -> dict[str, int]:
        """Return everything that is counted here and in the controller."""
        session, book = self._session, self._book
        counters = dict(self._counts)
        counters.update({f"refused_{name}": count for name, count in session.refused.copy().items()})
        counters["lost_triggers"] = book.lost_triggers
        counters["unknown_results"] = book.unknown_results
        counters["controller_resets"] = book.resets
        if session.status is not None:
            counters.update({name: getattr(session.status, name) for name in session.status._fields[9:]})
        return counters

    # -- what it says --------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Begin anew, on a port that has just been opened or with a controller that was reset."""
        self._reader = FrameReader()
        self._session = Session(self._config, self._write)
        self._session.begin()
        self.heard_s = time.monotonic()

    def tick(self, now_ns: int, alive: bool) -> None:
        """Say what is due: greeting, configuration, arming, heartbeat while `alive`, verdicts without an answer."""
        self._session.tick(now_ns, alive)

    def next_ns(self, now_ns: int) -> int:
        """Return when `tick` is wanted again at the latest."""
        return self._session.next_ns(now_ns)

    def judge(self, part: int, verdict: Verdict, now_ns: int) -> bool:
        """Tell a verdict; False for a part that was reported already, or whose epoch is not known: it is rejected."""
        known = self._book.tag_of(part)
        if known is not None:
            self._session.judge(*known, verdict is Verdict.PASS, now_ns)
        return known is not None

    def disarm(self) -> None:
        """Say goodbye: the belt may not run without us."""
        if self._session.ready:
            self._session.tell((Type.DISARM, b""))

    def give_up(self) -> None:
        """Report what is on its way as UNCONFIRMED: nobody will tell us of it."""
        self._book.give_up()

    def _recall(self, tags: list[int]) -> None:
        for tag in tags:
            self._session.tell(recall(tag))

    # -- what it hears -------------------------------------------------------------------------------------------

    def hear(self, data: bytes, arrived_ns: int) -> None:
        """Take bytes from the line, with the moment at which they were read."""
        for frame in self._reader.feed(data):
            told = read(frame)
            if told is not None:
                self.heard_s = time.monotonic()
                self._take(told, arrived_ns)

    def _take(self, told: Told, arrived_ns: int) -> None:
        match told:
            case Info():
                self._greet(told, arrived_ns)
            case Ack():
                self._answered(told)
            case StatusReport() if not self._book.knows(told.boot_id):
                self.begin()  # it was reset, and we missed its INFO
            case StatusReport():
                self._clock.heard(told.now_device_us, arrived_ns)
                self._session.compared(told)
                self._recall(self._book.compared(told))
                self._on_change()
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
                self.begin()  # a reset in the middle of the conversation
            self._clock = DeviceClock()
        self._clock.heard(info.now_device_us, arrived_ns)
        self._session.informed(info)
        if not self._session.refusal:
            self._recall(self._book.meet(info))
        else:
            self._on_change()

    def _answered(self, ack: Ack) -> None:
        was_ready = self._session.ready
        self._session.answered(ack)
        if self._session.refusal or self._session.ready != was_ready:
            self._on_change()

    def _note(self, told: Event) -> None:
        match told:
            case Stranger():
                self._counts["strangers"] += 1
            case BinFull():
                self._counts["bin_full"] = told.full
            case FaultReport():
                self._counts["faults"] += 1
                known = told.code in set(FaultCode)
                self.last_fault = f"{FaultCode(told.code).name if known else told.code} ({told.value})"
        if self._on_event is not None:
            self._on_event(told)

"""The reject controller at the belt: its own firmware, on a clock that drifts, between inputs, outputs and a cable."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from inspection.ejector.controller.core import ControllerCore
from inspection.ejector.controller.frame import FrameReader
from inspection.ejector.controller.settings import ControllerSettings
from inspection.ejector.controller.wire import (
    PASS,
    Ack,
    Config,
    ConfigFlag,
    Result,
    ResultFlag,
    Status,
    TriggerReport,
    Type,
    read,
)
from inspection.simulation.virtual.agenda import Agenda
from inspection.simulation.virtual.belt import Belt, Piece
from inspection.simulation.virtual.cable import BAUD, Cable
from inspection.simulation.virtual.plan import MS, Plan, Wiring

if TYPE_CHECKING:
    from inspection.simulation.virtual.ledger import Tag


@dataclass(slots=True, eq=False)
class Crossing:
    """What really broke the beam when the controller gave a tag. taken: as what the station took it, if it did."""

    piece: Piece | None
    place: int
    pulses: int = 0
    ended: bool = False
    taken: Tag | None = None


@dataclass(frozen=True, slots=True)
class Overheard:
    """Who is told what the controller really does: an output's level and since when, a PASS that counts, a pulse and
    whether it was late, and the end of a part (also by a reset).
    """

    switched: Callable[[int, bool, int], None]
    passed: Callable[[Crossing], None]
    pulsed: Callable[[Crossing, int, bool], None]
    ended: Callable[[Crossing], None]


def controller_settings(plan: Plan) -> ControllerSettings:
    """Return what the driver is told of this line."""
    release = plan.wiring is Wiring.RELEASE
    flags = ConfigFlag.POSITIVE_RELEASE if release else ConfigFlag(0)
    flags |= ConfigFlag.DELAY_COUNTS if plan.encoder else ConfigFlag(0)
    flags |= ConfigFlag.CONFIRM_SENSOR if plan.confirms else ConfigFlag(0)
    config = Config(
        flags=int(flags),
        delay=_place(plan, plan.TRAVEL_NS),
        deadline=_place(plan, plan.MARGIN_NS),
        width=plan.pulse_ns // 1000,
        window=_place(plan, plan.window_ns),
        lead_us=plan.LEAD_NS // 1000,
        heartbeat_timeout_ms=300,
        confirm_us=plan.CONFIRM_NS // 1000 if plan.confirms else 0,
        release_limit_ms=2000 if release else 0,
        encoder_period_ms=plan.sample_ns // MS if plan.encoder else 0,
    )
    return ControllerSettings("virtual", config, BAUD, verdict_lead_ns=plan.LEAD_NS + plan.MARGIN_NS)


def _place(plan: Plan, time_ns: int) -> int:
    return plan.counts(time_ns) if plan.encoder else time_ns // 1000


class VirtualController:
    """The firmware in virtual time. It knows nothing of the simulation; what it sends is overheard before it can get
    lost on the cable, and so is what reaches it.
    """

    REMEMBERED = 4096
    AHEAD_NS = Plan.LEAD_NS + 1 * MS
    TURN_NS = MS // 2

    def __init__(
        self, plan: Plan, agenda: Agenda, random: Random, belt: Belt, cable: Cable, overheard: Overheard
    ) -> None:
        self._agenda = agenda
        self._random = random
        self._belt = belt
        self._cable = cable
        self._overheard = overheard
        self._follows_belt = plan.encoder
        self._drift_ppm = random.randrange(-100, 100)
        self._flags: int | None = None
        self._wake_number = 0
        self._wake_ns: int | None = None
        self._start()
        cable.to_controller.arrived = self.receive
        belt.watch(self)

    def _start(self) -> None:
        self._anchor_ns, self._anchor_us = self._agenda.now_ns, 0
        self._from = self._belt.position
        self._crossings: dict[int, Crossing] = {}
        self._tags: deque[int] = deque()
        self._comes: Crossing | None = None
        self._told, self._heard = FrameReader(), FrameReader()
        self._words: dict[int, int] = {}
        boot_id = self._random.getrandbits(32)
        self._core = ControllerCore(boot_id, flags=self._flags or 0, knows_wiring=self._flags is not None)
        self._look()

    def reset(self) -> None:
        """Reset it: everything but its wiring is forgotten, and its clock begins at 0 again."""
        self._flags = self._core.flags
        for crossing in self._crossings.values():
            if not crossing.ended:
                self._end(crossing)
        self._start()

    def drift(self, ppm: int) -> None:
        """Let its clock run at another rate from now on."""
        self._anchor_us = self._now_us()
        self._anchor_ns = self._agenda.now_ns
        self._drift_ppm = ppm
        self._wake_ns = None
        self._look()

    def crossing(self, tag: int) -> Crossing | None:
        """Return what really broke the beam for a tag."""
        return self._crossings.get(tag)

    # -- inputs --------------------------------------------------------------------------------------------------

    def trigger(self, piece: Piece | None, place: int) -> None:
        """Let the photo-eye's beam be broken."""
        self.plan()
        self._comes = Crossing(piece, place)
        self._core.trigger(self._now_us())
        self._look()
        self._comes = None

    def ejected(self) -> None:
        """Let something come to the sensor behind the ejector."""
        self.plan()
        self._core.ejected(self._now_us())
        self._look()

    def receive(self, data: bytes) -> None:
        """Take what the cable brings."""
        self.plan()
        for frame in self._heard.feed(data):
            if frame.type == Type.VERDICT and len(frame.payload) == 5:
                self._words[int.from_bytes(frame.payload[:2], "little")] = frame.payload[4]
        self._core.receive(self._now_us(), data)
        self._look()
        self._words.clear()

    def plan(self) -> None:
        """Go on to this moment; called whenever the belt changes its speed, too."""
        if self._follows_belt:
            self._core.move(self._now_us(), self._belt.position - self._from)
        else:
            self._core.advance(self._now_us())
        self._look()

    def _now_us(self) -> int:
        passed_ns = self._agenda.now_ns - self._anchor_ns
        return self._anchor_us + passed_ns * (1_000_000 + self._drift_ppm) // (1_000 * 1_000_000)

    # -- what it does --------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Take its switchings and its words, and wake it when it has something to do next."""
        for switching in self._core.switchings():
            self._overheard.switched(switching.output, switching.active, self._host_ns(switching.us))
        data = self._core.transmit()
        if data:
            self._overhear(data)
            self._cable.to_station.write(data)
        moment_ns = self._next_ns()
        if moment_ns is not None and (self._wake_ns is None or moment_ns < self._wake_ns):
            self._wake_ns = max(moment_ns, self._agenda.now_ns)
            self._wake_number += 1
            self._agenda.at(self._wake_ns, partial(self._wake, self._wake_number))

    def _next_ns(self) -> int | None:
        """Return when it has something to do. Where the actuator's lead is turned into counts, its loop decides when.

        It is given a turn every half millisecond then, from shortly before; a real one takes one each millisecond.
        """
        wake_us, count = self._core.next_wake_us(), self._core.next_count()
        moments = [] if wake_us is None else [self._host_ns(wake_us)]
        at_ns = None if count is None else self._belt.when(count + self._from)
        if at_ns is not None:
            moments.append(max(at_ns - self.AHEAD_NS, self._agenda.now_ns + self.TURN_NS))
        return min(moments, default=None)

    def _host_ns(self, device_us: int) -> int:
        """Return the first moment at which its clock shows that."""
        return self._anchor_ns - (self._anchor_us - device_us) * 1_000 * 1_000_000 // (1_000_000 + self._drift_ppm)

    def _wake(self, number: int) -> None:
        if number == self._wake_number:
            self._wake_ns = None
            self.plan()

    def _overhear(self, data: bytes) -> None:
        for frame in self._told.feed(data):
            told = read(frame)
            match told:
                case TriggerReport() if not told.flags & ResultFlag.REPEATED and self._comes is not None:
                    self._remember(told.tag, self._comes)
                case Ack() if told.type == Type.VERDICT and told.status == Status.OK:
                    crossing = self._crossings.get(told.detail)
                    if crossing is not None and self._words.get(told.detail) == PASS:
                        self._overheard.passed(crossing)
                case Result() if not told.flags & ResultFlag.REPEATED:
                    crossing = self._crossings.get(told.tag)
                    if crossing is not None:
                        self._resulted(crossing, told)

    def _remember(self, tag: int, crossing: Crossing) -> None:
        self._crossings[tag] = crossing
        self._tags.append(tag)
        if len(self._tags) > self.REMEMBERED:
            del self._crossings[self._tags.popleft()]

    def _resulted(self, crossing: Crossing, result: Result) -> None:
        if result.flags & ResultFlag.PULSE:
            crossing.pulses += 1
            self._overheard.pulsed(crossing, result.at_device_us, bool(result.flags & ResultFlag.LATE))
        self._end(crossing)

    def _end(self, crossing: Crossing) -> None:
        crossing.ended = True
        self._overheard.ended(crossing)

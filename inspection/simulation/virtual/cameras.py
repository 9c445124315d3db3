"""Virtual cameras: what each part's exposures become on their way to the station, and what gets lost there."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, ClassVar

from camera.frame import ClockReading, Frame, Pixels, Trigger
from camera.interface import Camera
from inspection.simulation.virtual.agenda import Agenda
from inspection.simulation.virtual.belt import Piece
from inspection.simulation.virtual.model import Picture
from inspection.simulation.virtual.plan import MS, SECOND


class DrivenCamera(Camera):
    """The first camera as `Line` knows it; nobody grabs from it, its frames are handed over."""

    reports_triggers: ClassVar[bool] = True

    def _open(self) -> None: ...
    def _start(self) -> None: ...
    def _grab(self, into: Pixels | None, timeout_s: float) -> Frame | None: ...
    def _stop(self) -> None: ...
    def _close(self) -> None: ...


class Device:
    """One camera on the line, whichever station follows it. Its frames arrive in order, each some time after exposure.

    triggered: (trigger, part, place), where it is the camera at the photo-eye. framed: a frame has arrived. lost and
    back: the connection has gone, or works again and the device counts from 1.
    """

    DELAY_NS = 8 * MS
    JITTER_NS = 4 * MS
    DETECT_NS = 100 * MS
    ASK_NS = MS // 4

    def __init__(self, agenda: Agenda, random: Random, view: int) -> None:
        self._agenda = agenda
        self._random = random
        self.view = view
        self.framed: Callable[[Frame], None] = lambda _frame: None
        self.lost: Callable[[], None] = lambda: None
        self.back: Callable[[], None] = lambda: None
        self.connected = True
        self._name = f"camera {view}"
        self._epoch_ns = random.randrange(1000 * SECOND)
        self._drift_ppm = random.randrange(-50, 50)
        self._count = 0
        self._lost_before = 0
        self._arrives_ns = 0
        self._life = 0
        self.mishaps: deque[str] = deque()  # of the next exposures: lost, late, broken, missed

    def expose(self, piece: Piece | None, *, numbered: int | None = None) -> None:
        """Make one exposure. numbered: the device's own count of the trigger; else it counts its exposures."""
        if not self.connected:
            return
        mishap = self.mishaps.popleft() if self.mishaps else ""
        if mishap == "missed":
            if numbered is not None:
                self._lost_before += 1  # the count goes on with the triggers
            return
        self._count = self._count + 1 if numbered is None else numbered
        if mishap == "lost":
            self._lost_before += 1
            return
        now_ns = self._agenda.now_ns
        delay_ns = self.DELAY_NS + int(self._random.random() * self.JITTER_NS)
        if mishap == "late":
            delay_ns += self._random.randrange(200, 3000) * MS
        self._arrives_ns = max(self._arrives_ns + 1, now_ns + delay_ns)
        pixels: Any = Picture(piece, self.view, broken=mishap == "broken")
        frame = Frame(
            self._name, self._count, self._clock(now_ns), self._arrives_ns, self._lost_before, "Mono8", pixels
        )
        self._lost_before = 0
        self._agenda.at(self._arrives_ns, partial(self._arrived, frame, self._life))

    def read_clock(self) -> ClockReading:
        """Return what the device's clock shows; the answer takes a moment, both ways."""
        now_ns = self._agenda.now_ns
        return ClockReading(self._clock(now_ns), now_ns - self.ASK_NS, now_ns + self.ASK_NS)

    def _clock(self, host_ns: int) -> int:
        """Return the time stamp of the device's own clock."""
        return self._epoch_ns + host_ns + host_ns * self._drift_ppm // 1_000_000

    def _arrived(self, frame: Frame, life: int) -> None:
        if life == self._life:
            self.framed(frame)

    def unplug(self, time_ns: int) -> None:
        """Lose the connection for a while: triggers, frames on their way and the count are gone."""
        if not self.connected:
            return
        self.connected = False
        self._life += 1
        self._agenda.after(self.DETECT_NS, self.lost_now)
        self._agenda.after(max(time_ns, self.DETECT_NS + 200 * MS), self._plug)

    def lost_now(self) -> None:
        """Tell that the connection has gone."""
        self.lost()

    def _plug(self) -> None:
        self.connected = True
        self._count = self._lost_before = 0
        self._arrives_ns = 0
        self.back()


class PhotoEye(Device):
    """The camera at the photo-eye: it counts every trigger and tells the host of each."""

    def __init__(self, agenda: Agenda, random: Random) -> None:
        super().__init__(agenda, random, 0)
        self.triggered: Callable[[Trigger, Piece | None, int], None] = lambda _trigger, _piece, _place: None
        self._triggers = 0

    def edge(self, piece: Piece | None, place: int, picture_of: Piece | None, *, has_encoder: bool) -> None:
        """Take an edge of the photo-eye; place: where the belt is; the trigger tells it where an encoder does."""
        if not self.connected:
            return
        self._triggers += 1
        trigger = Trigger(self._triggers, self._agenda.now_ns, place if has_encoder else None)
        self._agenda.after(200_000, partial(self._tell, trigger, piece, place, self._life))
        self.expose(picture_of, numbered=self._triggers)

    def _tell(self, trigger: Trigger, piece: Piece | None, place: int, life: int) -> None:
        if life == self._life:
            self.triggered(trigger, piece, place)

    def _plug(self) -> None:
        self._triggers = 0
        super()._plug()

"""One view whose camera does not give the triggers: its frames and the parts' births meet in a matcher."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from camera.frame import BrokenFrame, ClockReading, Frame
from inspection.motion import Motion
from inspection.tracking.device_clock import DeviceClock
from inspection.tracking.matching import Match, Matcher

_PENDING_FRAMES = 16


@dataclass(frozen=True, slots=True)
class Found:
    """What a birth or a frame settled: a part's frame, parts that will get none, and parts that had a doubtful one."""

    part: int = 0
    frame: Frame | None = None
    without_image: tuple[int, ...] = ()
    doubtful: tuple[int, ...] = ()


class MatchedView:
    """Shared by the thread that gives birth to parts and the one that grabs this view's frames, under one lock.

    motion: tells the belt's position at a host time. A frame that was exposed while nothing was heard of the belt would
    be placed by a guess, so it finds no part.
    """

    def __init__(self, matcher: Matcher, clock: DeviceClock, motion: Motion) -> None:
        self._matcher = matcher
        self._clock = clock
        self._motion = motion
        self._pending: dict[int, Frame | BrokenFrame] = {}
        self._lock = threading.Lock()

    @property
    def counters(self) -> dict[str, int]:
        """Return what did not find its part, by kind."""
        counted = self._matcher.counters
        return {"resyncs": counted.resyncs, "ambiguous": counted.ambiguous, "stray": counted.stray}

    def born(self, part: int, place: int) -> Found:
        """Take a trigger's part; its frame may have come before it."""
        with self._lock:
            birth = self._matcher.born(part, place)
            return self._found(birth.match, birth.doubtful)

    def frame(self, frame: Frame | BrokenFrame) -> Found:
        """Take an exposure, and find its part; it waits where its part is not born yet. A broken one is no image."""
        with self._lock:
            exposed: int | None = None
            received = self._motion.where_was(frame.received_host_ns)
            if frame.device_ns is not None:
                exposed_host_ns = self._clock.exposed(frame.device_ns, frame.received_host_ns)
                if exposed_host_ns is not None:
                    exposed = self._motion.where_was(exposed_host_ns)
                    if exposed is None:
                        received = None  # when it was exposed is known, but not where the belt was: no guess is better
            self._pending[frame.counter] = frame
            while len(self._pending) > _PENDING_FRAMES:
                del self._pending[next(iter(self._pending))]
            match = self._matcher.frame(frame.counter, frame.lost_before, exposed, received)
            return self._found(match, ())

    def clock_read(self, reading: ClockReading) -> None:
        """Take what the camera's clock showed when it was asked, before the frames that it stamps from now on."""
        with self._lock:
            self._clock.latch(reading.device_ns, reading.before_host_ns, reading.after_host_ns)

    def ended(self, part: int) -> None:
        """Take note that a part is done."""
        with self._lock:
            self._matcher.ended(part)

    def restart(self) -> None:
        """Forget the device's counter and clock: the camera was opened again."""
        with self._lock:
            self._matcher.restart()
            self._clock = DeviceClock(self._clock.settings)
            self._pending.clear()

    def _found(self, match: Match | None, doubtful: tuple[int, ...]) -> Found:
        if match is None:
            return Found(doubtful=doubtful)
        frame = self._pending.pop(match.counter, None)
        if isinstance(frame, BrokenFrame):
            return Found(without_image=(*match.without_image, match.part), doubtful=doubtful)
        return Found(match.part, frame, match.without_image, doubtful)

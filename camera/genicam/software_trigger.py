"""Which exposure belongs to which software trigger, for devices that ignore, lose and delay what they are asked for."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

_DRIFT = 2e-4  # two free-running quartz clocks differ by less: 200 ppm


@dataclass(frozen=True, slots=True)
class Attributed:
    """An exposure whose trigger is certain. lost_before: triggers since the last one told of that gave none."""

    number: int
    lost_before: int


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A trigger whose exposure never came, or that cannot be told from another: its part has no image."""

    number: int
    fired_host_ns: int
    lost_before: int
    why: str


@dataclass(slots=True)
class _Outstanding:
    number: int
    fired_host_ns: int


class SoftwareTriggers:
    """Numbers the software triggers of one open camera from 1 and gives each exposure the number of its own.

    An exposure is given to a trigger only where no other can be meant; in any doubt none gets it, all that are
    outstanding are given up, and nothing is fired or taken until the driver has started acquisition again. Devices
    ignore a trigger while they expose (20 in a row make one picture), so with several outstanding only the device's
    time stamps tell them apart: allow more than one only with them.

    From any thread. The driver: `fire` → execute TriggerSoftware → `reached` (`failed` where that raises), before the
    next `fire`; in `grab`: `next_lost` first (a BrokenFrame each), then `must_restart` (stop, discard every buffer,
    start, `restarted`), then `take`.

    window_ns: how long a picture may take from its trigger. least_ns: how long it takes at least (the exposure).
    most: triggers outstanding at a time. jitter_ns: how far apart the times from trigger to time stamp lie at most,
    from one exposure to the next; None where the time stamps are none or not to be trusted.
    """

    def __init__(self, window_ns: int, most: int = 1, least_ns: int = 0, jitter_ns: int | None = None) -> None:
        if window_ns <= least_ns or most < 1 or least_ns < 0:
            raise ValueError(f"window_ns={window_ns}, most={most}, least_ns={least_ns}: least < window, most ≥ 1")
        if most > 1 and jitter_ns is None:
            raise ValueError(f"most={most} without time stamps: give jitter_ns, or allow one trigger at a time")
        self._window_ns, self._most, self._least_ns, self._jitter_ns = window_ns, most, least_ns, jitter_ns
        self._lock = threading.Lock()
        self._outstanding: deque[_Outstanding] = deque()
        self._lost: deque[tuple[_Outstanding, str]] = deque()  # at most `most`: nothing is fired while one waits
        self._number = 0
        self._told = 0
        self._given_up = 0  # the last one that was
        self._doubt = ""
        self._anchor: tuple[int, int] | None = None  # fired_host_ns and device_ns of the last certain exposure
        self._since_device_ns: int | None = None
        self.unexpected = 0
        self.restarts = 0

    @property
    def must_restart(self) -> bool:
        """True once a doubt came up: acquisition has to be started again before anything is fired or taken."""
        with self._lock:
            return bool(self._doubt)

    @property
    def doubt(self) -> str:
        """What the doubt is, for people; '' where there is none."""
        with self._lock:
            return self._doubt

    @property
    def last_number(self) -> int:
        """The number of the last trigger that was fired, 0 before the first."""
        with self._lock:
            return self._number

    def at_least(self, least_ns: int) -> None:
        """Note how long a picture takes at least from now on: somebody may have changed the exposure.

        One that is as long as the window is left alone: every trigger is given up then, whatever is said here.
        """
        with self._lock:
            self._least_ns = min(max(0, least_ns), self._window_ns - 1)

    def fire(self, now_host_ns: int) -> int | None:
        """Return the number of the trigger that the device is told of next; None when it must not be now."""
        with self._lock:
            self._expire(now_host_ns)
            if self._doubt or self._lost or len(self._outstanding) >= self._most:
                return None
            self._number += 1
            self._outstanding.append(_Outstanding(self._number, now_host_ns))
            return self._number

    def reached(self, number: int) -> None:
        """Note that the device took the trigger. One that was given up meanwhile may have exposed only now.

        Acquisition may have been started again before that: its picture would be the next trigger's.
        """
        with self._lock:
            self._doubt_late(number)

    def failed(self, number: int, why: str) -> None:
        """Note that the device did not say that it took the trigger: it may have exposed all the same."""
        with self._lock:
            if any(one.number == number for one in self._outstanding):
                self._give_up(f"trigger {number} may not have reached the device: {why}")
            self._doubt_late(number)

    def take(self, now_host_ns: int, device_ns: int | None = None, missing: int = 0) -> Attributed | None:
        """Return the trigger of an exposure that came, whole or broken; None for one that is to be thrown away.

        now_host_ns: when it arrived; device_ns: its time stamp; missing: exposures before it that never came, by the
        stream's block numbers.
        """
        with self._lock:
            if self._is_stale(device_ns):
                self.unexpected += 1
                return None
            self._expire(now_host_ns)
            if self._doubt:
                self.unexpected += 1
                return None
            found = self._candidates(now_host_ns, device_ns, missing)
            if len(found) != 1:
                self.unexpected += 1
                self._give_up(self._why(found, missing))
                return None
            return self._attribute(found[0], device_ns)

    def next_lost(self, now_host_ns: int) -> GivenUp | None:
        """Return the next trigger that was given up, in their order; None when there is none (any more)."""
        with self._lock:
            self._expire(now_host_ns)
            if not self._lost:
                return None
            one, why = self._lost.popleft()
            return GivenUp(one.number, one.fired_host_ns, self._tell(one.number), why)

    def restarted(self, since_device_ns: int | None = None) -> None:
        """Note that acquisition was started anew and that no exposure of before can arrive any more.

        since_device_ns: the device's time after that, where it can be asked: a picture stamped earlier is thrown away.
        """
        with self._lock:
            if self._outstanding:
                self._give_up("acquisition was started again before its picture came")
            self._doubt = ""
            self._since_device_ns = since_device_ns
            self.restarts += 1

    def _is_stale(self, device_ns: int | None) -> bool:
        return device_ns is not None and self._since_device_ns is not None and device_ns < self._since_device_ns

    def _expire(self, now_host_ns: int) -> None:
        if self._outstanding and now_host_ns - self._outstanding[0].fired_host_ns > self._window_ns:
            number = self._outstanding[0].number
            self._give_up(f"no picture of trigger {number} came within {self._window_ns / 1e6:.0f} ms")

    def _doubt_late(self, number: int) -> None:
        if number == self._given_up and not self._doubt:
            self._doubt = f"trigger {number} may have reached the device after it was given up"

    def _give_up(self, why: str) -> None:
        self._doubt = self._doubt or why
        if self._outstanding:
            self._given_up = self._outstanding[-1].number
        self._lost.extend((one, why) for one in self._outstanding)
        self._outstanding.clear()

    def _candidates(self, now_host_ns: int, device_ns: int | None, missing: int) -> list[int]:
        """Return the places in the queue of triggers that the exposure may belong to."""
        return [
            place
            for place, one in enumerate(self._outstanding)
            if place >= missing
            and now_host_ns - one.fired_host_ns >= self._least_ns
            and self._fits(one.fired_host_ns, device_ns)
        ]

    def _fits(self, fired_host_ns: int, device_ns: int | None) -> bool:
        """Return whether the time stamp may be one of this trigger: it lies as far from the last certain one's."""
        if self._jitter_ns is None or device_ns is None or self._anchor is None:
            return True
        host_ns, stamp_ns = fired_host_ns - self._anchor[0], device_ns - self._anchor[1]
        return abs(stamp_ns - host_ns) <= self._jitter_ns + int(abs(host_ns) * _DRIFT)

    def _why(self, found: list[int], missing: int) -> str:
        if not self._outstanding:
            return "a picture came that no trigger asked for"
        numbers = ", ".join(str(self._outstanding[place].number) for place in found)
        if found:
            return f"a picture came that may be of each of the triggers {numbers}"
        lost = f" after {missing} lost ones" if missing else ""
        return f"a picture came{lost} that cannot be of any of the {len(self._outstanding)} triggers outstanding"

    def _attribute(self, place: int, device_ns: int | None) -> Attributed:
        for _ in range(place):
            self._outstanding.popleft()  # they were ignored, or their picture was lost: told of by lost_before
        one = self._outstanding.popleft()
        if device_ns is not None:
            self._anchor = (one.fired_host_ns, device_ns)
        return Attributed(one.number, self._tell(one.number))

    def _tell(self, number: int) -> int:
        lost_before = number - self._told - 1
        self._told = number
        return lost_before

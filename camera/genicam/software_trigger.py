"""Which exposure belongs to which software trigger, for devices that ignore, lose and delay what they are asked for."""

from __future__ import annotations

import threading
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A trigger whose exposure never came, or that cannot be told from another: its part has no image."""

    number: int
    why: str


@dataclass(frozen=True, slots=True)
class _Outstanding:
    number: int
    fired_host_ns: int


class SoftwareTriggers:
    """Numbers the software triggers of one open camera from 1 and gives each exposure the number of its own.

    One trigger is outstanding at a time, for devices ignore what they are asked for while they expose (20 in a row make
    one picture). An exposure is given to it only where no other can be meant; in any doubt none gets it, the trigger is
    given up, and nothing is fired or taken until the driver has started acquisition again. Each number is told of once:
    by `take`, or by `next_lost`.

    From any thread. The driver: `fire` → execute TriggerSoftware → `reached` (`failed` where that raises), before the
    next `fire`; in `grab`: `next_lost` first (a BrokenFrame each), then `must_restart` (stop, discard every buffer,
    start, `restarted`), then `take`.

    window_ns: how long a picture may take from its trigger. least_ns: how long it takes at least (the exposure).
    """

    def __init__(self, window_ns: int, least_ns: int = 0) -> None:
        if not 0 <= least_ns < window_ns:
            raise ValueError(f"window_ns={window_ns}, least_ns={least_ns}: 0 ≤ least < window")
        self._window_ns, self._least_ns = window_ns, least_ns
        self._lock = threading.Lock()
        self._outstanding: _Outstanding | None = None
        self._lost: GivenUp | None = None  # at most one: nothing is fired while it waits to be told of
        self._number = 0
        self._given_up = 0  # the last one that was
        self._in_doubt = False

    @property
    def must_restart(self) -> bool:
        """True once a doubt came up: acquisition has to be started again before anything is fired or taken."""
        with self._lock:
            return self._in_doubt

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
            if self._in_doubt or self._lost is not None or self._outstanding is not None:
                return None
            self._number += 1
            self._outstanding = _Outstanding(self._number, now_host_ns)
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
            if self._outstanding is not None and self._outstanding.number == number:
                self._doubt(f"trigger {number} may not have reached the device: {why}")
            self._doubt_late(number)

    def take(self, now_host_ns: int, missing: int = 0) -> int | None:
        """Return the trigger of an exposure that came, whole or broken; None for one that is to be thrown away.

        now_host_ns: when it arrived; missing: exposures before it that never came, by the stream's block numbers.
        """
        with self._lock:
            self._expire(now_host_ns)
            if self._in_doubt:
                return None
            one = self._outstanding
            if one is None:
                self._doubt("a picture came that no trigger asked for")
                return None
            passed_ns = now_host_ns - one.fired_host_ns
            if missing:
                self._doubt(f"a picture came after {missing} lost ones: each may be that of trigger {one.number}")
                return None
            if passed_ns < self._least_ns:
                self._doubt(
                    f"a picture came {passed_ns / 1e6:.1f} ms after trigger {one.number}, and its exposure alone takes "
                    f"{self._least_ns / 1e6:.1f} ms"
                )
                return None
            self._outstanding = None
            return one.number

    def next_lost(self, now_host_ns: int) -> GivenUp | None:
        """Return the trigger that was given up and not told of yet; None when there is none (any more)."""
        with self._lock:
            self._expire(now_host_ns)
            lost, self._lost = self._lost, None
            return lost

    def restarted(self) -> None:
        """Note that acquisition was started anew and that no exposure of before can arrive any more."""
        with self._lock:
            if self._outstanding is not None:
                self._doubt("acquisition was started again before its picture came")
            self._in_doubt = False

    def _expire(self, now_host_ns: int) -> None:
        one = self._outstanding
        if one is not None and now_host_ns - one.fired_host_ns > self._window_ns:
            self._doubt(f"no picture of trigger {one.number} came within {self._window_ns / 1e6:.0f} ms")

    def _doubt_late(self, number: int) -> None:
        if number == self._given_up:
            self._in_doubt = True

    def _doubt(self, why: str) -> None:
        """Begin a doubt: the outstanding trigger, where there is one, is given up for this reason."""
        self._in_doubt = True
        one, self._outstanding = self._outstanding, None
        if one is not None:
            self._given_up, self._lost = one.number, GivenUp(one.number, why)

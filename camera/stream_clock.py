"""The clock of a network stream: when its pictures were made, how many are missing, and how far we lag behind."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from statistics import median_low

_JUMP_NS = 10_000_000_000  # a picture so much further ahead than the time that passed: the clock was set
_LEAK = 2_000  # 1 part in 2000: faster than any two quartz clocks drift apart, slower than any real lag grows


@dataclass(frozen=True, slots=True)
class Stamp:
    """One picture's place in the stream. age_ns: how much later it came than the promptest one did."""

    device_ns: int
    lost_before: int
    age_ns: int


class StreamClock:
    """Follows the presentation times of one stream. Owned by the grabbing thread.

    Times that do not go forward, or leap ahead of the host's clock by more than 10 s, are a clock that was set anew:
    the count goes on where it was. Pictures are missing where two times are further apart than the usual distance.
    """

    def __init__(self, interval_ns: int | None, *, learns: bool) -> None:
        """interval_ns: the stated distance of two pictures; learns: the median of what comes is believed instead."""
        self._stated_ns = interval_ns
        self._distances: deque[int] = deque(maxlen=31)
        self._learns = learns
        self._shift_ns = 0
        self._last: tuple[int, int] | None = None  # device_ns, received_host_ns
        self._restarted = False
        self._prompt_ns = 0  # the smallest of received − device that was seen, leaking upwards

    def restarted(self) -> None:
        """Note that the stream begins anew: nothing is missing before its first picture."""
        self._restarted = True

    def interval_ns(self) -> int | None:
        """Return the usual distance of two pictures, None where nobody knows yet."""
        if self._learns and len(self._distances) >= 5:
            return median_low(self._distances)
        return self._stated_ns

    def take(self, stream_ns: int, received_host_ns: int) -> Stamp:
        """Place the next picture of the stream; each must be taken, also one that is not delivered."""
        interval_ns = self.interval_ns()
        device_ns = stream_ns + self._shift_ns
        lost = 0
        if self._last is None:
            self._prompt_ns = received_host_ns - device_ns
        else:
            last_device_ns, last_received_ns = self._last
            passed_ns = received_host_ns - last_received_ns
            step_ns = device_ns - last_device_ns
            if self._restarted or step_ns <= 0 or step_ns > passed_ns + _JUMP_NS:
                device_ns = last_device_ns + max(interval_ns or 1, passed_ns if self._restarted else 0)
                self._shift_ns = device_ns - stream_ns
                if self._restarted:
                    self._prompt_ns = received_host_ns - device_ns
            else:
                self._distances.append(step_ns)
                lost = max(0, round(step_ns / interval_ns) - 1) if interval_ns else 0
            self._prompt_ns += max(0, passed_ns) // _LEAK
        self._restarted = False
        self._last = device_ns, received_host_ns
        late_ns = received_host_ns - device_ns
        self._prompt_ns = min(self._prompt_ns, late_ns)
        return Stamp(device_ns, lost, late_ns - self._prompt_ns)

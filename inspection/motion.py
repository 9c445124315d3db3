"""Where the belt is at a moment, and when a place on it will be somewhere: by the clock alone, or by an encoder."""

from __future__ import annotations

from collections import deque
from typing import Protocol


class Motion(Protocol):
    """The belt's movement. A position is a whole number in the unit of the geometry and grows in running direction.

    Shared by the station's tracker and the ejector's process, each with an instance of its own that hears the same
    samples; not locked.
    """

    def position_at(self, host_ns: int) -> int:
        """Return the belt's position at a moment, extrapolated with the present speed where it is ahead."""

    def when(self, position: int) -> int | None:
        """Return the moment (host ns) at which the belt is or was at a position; None while it does not get there."""

    def observe(self, host_ns: int, position: int) -> None:
        """Take an encoder sample: the position at a moment on the host's clock."""


class ClockMotion:
    """A belt of constant speed: its position is the host's clock itself, so a distance is a time in ns."""

    def position_at(self, host_ns: int) -> int:
        """Return the moment itself."""
        return host_ns

    def when(self, position: int) -> int | None:
        """Return the position itself."""
        return position

    def observe(self, host_ns: int, position: int) -> None:
        """Ignore the sample: the clock needs none."""


class EncoderMotion:
    """A belt that an encoder follows: position in counts, speed from the samples of the last `span_ns`.

    Between samples the belt is taken to go on at the last speed; a belt that stands gets nowhere.
    """

    def __init__(self, span_ns: int = 40_000_000) -> None:
        self._span_ns = span_ns
        self._samples: deque[tuple[int, int]] = deque()

    def observe(self, host_ns: int, position: int) -> None:
        """Take a sample; one that is not younger than the last is ignored."""
        if self._samples and host_ns <= self._samples[-1][0]:
            return
        self._samples.append((host_ns, position))
        while len(self._samples) > 2 and self._samples[1][0] <= host_ns - self._span_ns:
            self._samples.popleft()

    @property
    def last_sample_ns(self) -> int | None:
        """When the last sample was taken, None before the first."""
        return self._samples[-1][0] if self._samples else None

    def _moved(self) -> tuple[int, int]:
        """Return counts and nanoseconds over the recent samples; (0, 1) while nothing is known of a speed."""
        if len(self._samples) < 2:
            return 0, 1
        (first_ns, first), (last_ns, last) = self._samples[0], self._samples[-1]
        return last - first, last_ns - first_ns

    def position_at(self, host_ns: int) -> int:
        """Return the position at a moment; 0 before the first sample."""
        if not self._samples:
            return 0
        last_ns, last = self._samples[-1]
        counts, took_ns = self._moved()
        return last + (host_ns - last_ns) * counts // took_ns

    def when(self, position: int) -> int | None:
        """Return when the belt is at a position; for one that it has passed, when it was there at the present speed."""
        if not self._samples:
            return None
        last_ns, last = self._samples[-1]
        counts, took_ns = self._moved()
        if counts <= 0:
            return last_ns if position <= last else None
        return last_ns + (position - last) * took_ns // counts

"""Where the belt is at a moment, and when a place on it will be somewhere: by the clock alone, or by an encoder."""

from __future__ import annotations

from collections import deque
from typing import Protocol

_THINNED_NS = 4_000_000
_TOGETHER_NS = 30_000_000  # samples further apart than this say nothing about what was between them


class Motion(Protocol):
    """The belt's movement. A position is a whole number in the unit of the geometry and grows in running direction.

    Shared by the station's tracker and the ejector's process, each with an instance of its own that hears the same
    samples; not locked.
    """

    def position_at(self, host_ns: int) -> int:
        """Return the belt's position at a moment, extrapolated with the present speed where it is ahead."""

    def where_was(self, host_ns: int, apart_ns: int | None = None) -> int | None:
        """Return where the belt was at a moment that may lie back; None where nothing was heard of it around then.

        apart_ns: how far apart two samples may be for what lies between them to be known; 30 ms when left out.
        """

    def when(self, position: int) -> int | None:
        """Return the moment (host ns) at which the belt is or was at a position; None while it does not get there.

        A belt that stands or runs back gets nowhere: None for every position, those behind it included.
        """

    def silent_ns(self, host_ns: int) -> int:
        """Return for how long nothing has been heard of the belt: from then on its position is a guess."""

    def observe(self, host_ns: int, position: int) -> None:
        """Take an encoder sample: the position at a moment on the host's clock."""


class ClockMotion:
    """A belt of constant speed: its position is the host's clock itself, so a distance is a time in ns."""

    def position_at(self, host_ns: int) -> int:
        """Return the moment itself."""
        return host_ns

    def where_was(self, host_ns: int, apart_ns: int | None = None) -> int | None:  # noqa: ARG002 — as the protocol
        """Return the moment itself."""
        return host_ns

    def when(self, position: int) -> int | None:
        """Return the position itself."""
        return position

    def silent_ns(self, host_ns: int) -> int:  # noqa: ARG002 — as the protocol has it
        """Return 0: the clock is always there."""
        return 0

    def observe(self, host_ns: int, position: int) -> None:
        """Ignore the sample: the clock needs none."""


class EncoderMotion:
    """A belt that an encoder follows: position in counts, speed from the samples of the last `span_ns`.

    Samples must come at regular moments (every 5 to 20 ms), also while the belt stands: only equal positions say that
    it stands. Between samples the belt is taken to go on at the last speed. The counts must go on through an overflow
    or a reset of the counter; a step back is a belt that runs back.
    """

    def __init__(self, span_ns: int = 40_000_000, remembered_ns: int = 5_000_000_000) -> None:
        self._span_ns = span_ns
        self._remembered_ns = remembered_ns
        self._past: deque[tuple[int, int]] = deque()  # thinned, for places of moments that lie back
        self._samples: deque[tuple[int, int]] = deque()
        self._counts, self._took_ns = 0, 1  # the speed over the samples; 0 while nothing is known of one

    def observe(self, host_ns: int, position: int) -> None:
        """Take a sample; one that is not younger than the last is ignored.

        A belt that turns round forgets what it did before, so that its old speed is not mixed into the new one.
        """
        samples = self._samples
        if samples:
            last_ns, last = samples[-1]
            if host_ns <= last_ns:
                return
            if len(samples) > 1 and (position - last) * (last - samples[0][1]) < 0:
                samples.clear()
                samples.append((last_ns, last))
        samples.append((host_ns, position))
        self._remember(host_ns, position)
        while len(samples) > 2 and samples[1][0] <= host_ns - self._span_ns:
            samples.popleft()
        if len(samples) > 1:
            first_ns, first = samples[0]
            self._counts, self._took_ns = position - first, host_ns - first_ns

    @property
    def last_sample_ns(self) -> int | None:
        """When the last sample was taken, None before the first."""
        return self._samples[-1][0] if self._samples else None

    def silent_ns(self, host_ns: int) -> int:
        """Return how old the last sample is; before the first, the whole age of the clock."""
        return max(0, host_ns - (self._samples[-1][0] if self._samples else 0))

    def position_at(self, host_ns: int) -> int:
        """Return the position at a moment; 0 before the first sample."""
        if not self._samples:
            return 0
        last_ns, last = self._samples[-1]
        return last + (host_ns - last_ns) * self._counts // self._took_ns

    def _remember(self, host_ns: int, position: int) -> None:
        past = self._past
        if past and host_ns - past[-1][0] < _THINNED_NS:
            return
        past.append((host_ns, position))
        while past[0][0] < host_ns - self._remembered_ns:
            past.popleft()

    def where_was(self, host_ns: int, apart_ns: int | None = None) -> int | None:
        """Return the position between the samples around a moment; None before the first and where they stayed away.

        The present speed says nothing about a moment before it was taken up.
        """
        if not self._past:
            return None
        apart_ns = _TOGETHER_NS if apart_ns is None else apart_ns
        after = self._samples[-1]
        if host_ns >= after[0]:
            return self.position_at(host_ns) if host_ns - after[0] <= apart_ns else None
        for before in reversed(self._past):
            if before[0] <= host_ns:
                if after[0] - before[0] > apart_ns:
                    return None
                moved, took_ns = after[1] - before[1], after[0] - before[0]
                return before[1] + (host_ns - before[0]) * moved // max(1, took_ns)
            after = before
        return None

    def when(self, position: int) -> int | None:
        """Return the first moment at which the belt is at a position, by its present speed; None while it stands."""
        if self._counts <= 0:
            return None
        last_ns, last = self._samples[-1]
        return last_ns - (last - position) * self._took_ns // self._counts

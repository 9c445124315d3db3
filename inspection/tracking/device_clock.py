"""A device's clock on the host's clock: when a frame was exposed, however late it arrived."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ClockSettings:
    """What is known of a device's clock and its link.

    transfer_ns: from the exposure's stamp to the receipt at the very least. drift_ppm: how far its rate may be off
    the host's (crystals: 100). window_ns: how long a sample is kept (the last few for
    ever, so that a frame after a pause is not believed alone). bits: where the stamp wraps, in ns; None where
    it never does. settle: how many samples must agree, to steady_ns, before a time is given: frames that a link held up
    and hands over all at once do not, and nothing is placed by them. late_ns: a frame this much later
    than the others is no measure of anything; `confirm` of them in a row are a clock that was set back.
    """

    transfer_ns: int = 0
    drift_ppm: float = 100.0
    window_ns: int = 5_000_000_000
    bits: int | None = None
    settle: int = 3
    steady_ns: int = 5_000_000
    late_ns: int = 500_000_000
    confirm: int = 5


@dataclass(slots=True)
class _Sample:
    device_ns: int  # unwrapped
    host_ns: int  # the exposure was not later than this


@dataclass(slots=True)
class DeviceClock:
    """Maps one camera's time stamps to the host's clock by the frames that arrived fastest. Owned by its grab thread.

    Each sample says: this stamp was not later than receipt − transfer_ns. Through each sample go the two lines of the
    greatest drift; the lowest of all these bounds is the estimate (the lower envelope of Moon, Skelly and Towsley,
    "Estimation and removal of clock skew from network delay measurements", 1999, with the slope bounded instead of
    fitted). With the true delay ≥ transfer_ns and the true drift within drift_ppm, the estimate is never early, and
    late by at most the smallest, over the samples of the window, of (its excess delay + 2 · drift · its age). Make a
    new one when the camera was opened again; a clock that is set back under way is noticed by itself.
    """

    settings: ClockSettings = field(default_factory=ClockSettings)
    resets: int = 0
    _samples: deque[_Sample] = field(default_factory=deque)
    _suspects: list[_Sample] = field(default_factory=list)
    _latched: bool = False
    _agreeing: int = 0
    _frame_ns: int | None = None  # the stamp of the newest frame, unwrapped

    @property
    def settled(self) -> bool:
        """True once enough samples were taken for a time to be given."""
        return self._latched or self._agreeing >= self.settings.settle

    @property
    def drift_ppm(self) -> float | None:
        """Return how much faster than the device's clock the host's runs, by the fastest frame of each half window.

        For the eye alone, the estimate does not use it; None while the window is too short to tell.
        """
        if len(self._samples) < 8:
            return None
        middle_ns = (self._samples[0].device_ns + self._samples[-1].device_ns) // 2
        early = [sample for sample in self._samples if sample.device_ns <= middle_ns]
        late = [sample for sample in self._samples if sample.device_ns > middle_ns]
        if not early or not late:
            return None
        first, second = (min(half, key=lambda sample: sample.host_ns - sample.device_ns) for half in (early, late))
        span_ns = second.device_ns - first.device_ns
        return ((second.host_ns - first.host_ns) - span_ns) / span_ns * 1e6 if span_ns else None

    def latch(self, device_ns: int, before_host_ns: int, after_host_ns: int) -> None:
        """Take a stamp that the device was asked for: made between the question and the answer, it is beyond doubt.

        Frames can be dated from then on, the very first one, too. A clock that stood, or was set back, since the frames
        before is learned anew.
        """
        sample = _Sample(self._unwrapped(device_ns, after_host_ns), after_host_ns)
        if self._samples and self._bound(sample.device_ns) < before_host_ns:
            self._reset()
        self._take(sample)
        self._latched = True

    def exposed(self, device_ns: int, received_host_ns: int) -> int | None:
        """Take a frame's stamp and receipt; return when it was exposed on the host's clock, None while unsure."""
        sample = _Sample(self._unwrapped(device_ns, received_host_ns), received_host_ns - self.settings.transfer_ns)
        if self._frame_ns is not None and sample.device_ns < self._frame_ns:
            self._reset()  # frames come in order: it was set back
        self._frame_ns = sample.device_ns
        was_on_its_way = (
            bool(self._samples) and sample.device_ns < self._samples[-1].device_ns
        )  # as the clock was asked
        if not (was_on_its_way or self._take(sample)) or not self.settled:
            return None
        return self._bound(sample.device_ns)

    def _take(self, sample: _Sample) -> bool:
        """Add a sample to the window; False for one that fits none of the others."""
        samples, settings = self._samples, self.settings
        if samples:
            late_ns = sample.host_ns - self._bound(sample.device_ns)
            early_ns = settings.late_ns + 2 * self._drift_ns(abs(sample.device_ns - samples[-1].device_ns))
            if sample.device_ns < samples[-1].device_ns or late_ns < -early_ns:
                self._reset()
            elif late_ns > settings.late_ns:
                self._suspect(sample)
                if len(self._suspects) < settings.confirm:
                    return False
                suspects = self._suspects
                self._reset()
                for suspect in suspects:
                    self._take(suspect)
                return True
            self._agree(late_ns)
        self._suspects = []
        self._agreeing = max(1, self._agreeing)
        samples.append(sample)
        if len(samples) > settings.settle and samples[0].device_ns < sample.device_ns - settings.window_ns:
            self._forget(sample.device_ns)
        self._thin()
        return True

    def _forget(self, device_ns: int) -> None:
        """Drop what is older than the window; what has agreed with a much better estimate agrees no more."""
        samples, settings = self._samples, self.settings
        before_ns = self._bound(device_ns)
        while len(samples) > settings.settle and samples[0].device_ns < device_ns - settings.window_ns:
            samples.popleft()
        if self._bound(device_ns) - before_ns > settings.steady_ns:
            self._agreeing = 1

    def _suspect(self, sample: _Sample) -> None:
        """Keep a sample that is far too late; a clock that was set back makes all of them late by the same time."""
        suspects = self._suspects
        if suspects:
            apart_ns = (sample.host_ns - suspects[0].host_ns) - (sample.device_ns - suspects[0].device_ns)
            if abs(apart_ns) > self.settings.steady_ns + self._drift_ns(sample.device_ns - suspects[0].device_ns):
                suspects.clear()
        suspects.append(sample)

    def _agree(self, late_ns: int) -> None:
        """Count the samples near the estimate since one was much faster than all before it."""
        if late_ns < -self.settings.steady_ns:
            self._agreeing = 1
        elif late_ns <= self.settings.steady_ns:
            self._agreeing += 1

    def _thin(self) -> None:
        """Drop samples before the newest that a younger one bounds as tightly for all that follows."""
        samples, newest = self._samples, self._samples[-1]
        while len(samples) > max(self.settings.settle, 8):
            other = samples[-2]
            age_ns = newest.device_ns - other.device_ns
            if newest.host_ns > other.host_ns + age_ns + self._drift_ns(age_ns):
                break
            del samples[-2]

    def _reset(self) -> None:
        self.resets += 1
        self._samples.clear()
        self._suspects = []
        self._latched = False
        self._agreeing = 0

    def _bound(self, device_ns: int) -> int:
        """Return the latest host time that a stamp can have been made at, by all samples."""
        bounds = []
        for sample in self._samples:
            since_ns = device_ns - sample.device_ns
            bounds.append(sample.host_ns + since_ns + self._drift_ns(abs(since_ns)))
        return min(bounds)

    def _drift_ns(self, span_ns: int) -> int:
        return round(span_ns * self.settings.drift_ppm * 1e-6)

    def _unwrapped(self, device_ns: int, host_ns: int) -> int:
        """Return the stamp without wraps: the turn of the counter that lies nearest to the time that passed."""
        if self.settings.bits is None or not self._samples:
            return device_ns
        turn_ns, last = 1 << self.settings.bits, self._samples[-1]
        expected_ns = last.device_ns + host_ns - last.host_ns
        return device_ns + round((expected_ns - device_ns) / turn_ns) * turn_ns

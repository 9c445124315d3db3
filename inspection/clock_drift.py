"""How much faster a device's clock runs than the host's, from readings that lie far apart."""

from __future__ import annotations

from camera.frame import ClockReading

_LEAST_NS = 20_000_000_000
_WORST_PPM = 100.0


class ClockDrift:
    """Follows one device's clock. Owned by one thread."""

    def __init__(self) -> None:
        self._first: ClockReading | None = None
        self._last: ClockReading | None = None

    def add(self, reading: ClockReading) -> float | None:
        """Return the drift in millionths since the first reading; None until it is known to 100 millionths.

        The device read its clock somewhere between `before_host_ns` and `after_host_ns`, so the error is at most the
        half of both intervals over the time between the readings. A clock that was set, by PTP or a restart of the
        device, begins anew.
        """
        first, last, self._last = self._first, self._last, reading
        if first is None or last is None or _was_set(last, reading):
            self._first = reading
            return None
        host_ns = _middle(reading) - _middle(first)
        doubt_ppm = 1e6 * (_width(reading) + _width(first)) / 2 / max(1, host_ns)
        if host_ns < _LEAST_NS or doubt_ppm > _WORST_PPM:
            return None
        return round(1e6 * (reading.device_ns - first.device_ns - host_ns) / host_ns, 1)


def _was_set(last: ClockReading, now: ClockReading) -> bool:
    """Return whether the clock moved otherwise than by 1 % of the time since, besides what the reading leaves open."""
    host_ns = _middle(now) - _middle(last)
    apart_ns = abs(now.device_ns - last.device_ns - host_ns)
    return apart_ns > 0.01 * host_ns + _width(now) + _width(last)


def _middle(reading: ClockReading) -> int:
    return (reading.before_host_ns + reading.after_host_ns) // 2


def _width(reading: ClockReading) -> int:
    return reading.after_host_ns - reading.before_host_ns

"""The controller's clock as seen from the host: from when its messages arrive."""

from __future__ import annotations

from collections import deque

_BUCKET_US = 500_000
_BUCKETS = 40
_SLOPE_SPAN_US = 4_000_000
_SLOPE_LIMIT = 500e-6  # a crystal is far better; an RC oscillator is not to be trusted with more


class DeviceClock:
    """Maps device µs to host ns. A message never arrives before it is sent, so the least delayed ones tell the offset.

    Keeps the smallest offset of each half second of the last 20 s; the drift is the slope through them. Owned by the
    driver's thread.
    """

    def __init__(self) -> None:
        self._lowest: deque[tuple[int, int]] = deque(maxlen=_BUCKETS)  # device µs, host ns − device ns

    def heard(self, device_us: int, arrived_host_ns: int) -> None:
        """Note that a message sent at `device_us` arrived."""
        offset_ns = arrived_host_ns - device_us * 1000
        if self._lowest and device_us // _BUCKET_US == self._lowest[-1][0] // _BUCKET_US:
            if offset_ns < self._lowest[-1][1]:
                self._lowest[-1] = (device_us, offset_ns)
        else:
            self._lowest.append((device_us, offset_ns))

    def host_ns(self, device_us: int) -> int:
        """Return the moment on the host's clock; ValueError before anything was heard."""
        slope = self._slope()
        offset_ns = min(offset + round((device_us - at_us) * 1000 * slope) for at_us, offset in self._lowest)
        return device_us * 1000 + offset_ns

    def _slope(self) -> float:
        """Return the drift, ns per ns, between the least delayed messages of the older and the newer half."""
        half = len(self._lowest) // 2
        if half < 2:
            return 0.0
        points = list(self._lowest)
        (old_us, old_ns), (new_us, new_ns) = (
            min(part, key=lambda point: point[1]) for part in (points[:half], points[half:])
        )
        if new_us - old_us < _SLOPE_SPAN_US:
            return 0.0
        return max(-_SLOPE_LIMIT, min(_SLOPE_LIMIT, (new_ns - old_ns) / ((new_us - old_us) * 1000)))

"""What a grabbing loop saw within its time, counted the same way by the bare loops and by the station's side."""

from __future__ import annotations

import ctypes
import time
from typing import Any

import numpy as np

WARM_UP_S = 0.5


_RING = 8


class Ring:
    """Memory that a bare loop copies each frame to, where it is asked to: what one copy costs, and nothing else."""

    def __init__(self, size: int) -> None:
        self._buffers = [np.zeros(size, np.uint8) for _ in range(_RING)]
        self._size, self._next = size, 0

    def copy(self, address: int) -> None:
        """Copy a frame."""
        self._next = (self._next + 1) % _RING
        ctypes.memmove(self._buffers[self._next].ctypes.data, address, self._size)


class Tally:
    """Frames from the end of a warm-up on. Owned by the loop that counts."""

    def __init__(self, offset_ns: int | None = None) -> None:
        self.broken = self.lost = 0
        self._offset_ns = offset_ns
        self._from_host_ns = time.monotonic_ns() + round(WARM_UP_S * 1e9)
        self._cpu_ns = 0
        self._moments_ns: list[int] = []
        self._latencies_ns: list[int] = []

    def frame(self, device_ns: int | None, lost_before: int) -> None:
        """Count a frame that came whole, at the moment when it is in the caller's hands."""
        now_ns = time.monotonic_ns()
        if now_ns < self._from_host_ns:
            return
        if not self._moments_ns:
            self._cpu_ns = time.process_time_ns()
        else:
            self.lost += lost_before
        self._moments_ns.append(now_ns)
        if device_ns is not None and self._offset_ns is not None:
            self._latencies_ns.append(now_ns - device_ns - self._offset_ns)

    def broke(self, lost_before: int) -> None:
        """Count an exposure that did not come whole."""
        if self._moments_ns:
            self.broken += 1
            self.lost += lost_before

    def result(self) -> dict[str, Any]:
        """Return frames, rate, losses, and this process's CPU time a frame."""
        frames = len(self._moments_ns)
        span_s = (self._moments_ns[-1] - self._moments_ns[0]) / 1e9 if frames > 1 else 0.0
        cpu_ms = (time.process_time_ns() - self._cpu_ns) / 1e6
        found: dict[str, Any] = {
            "frames": frames,
            "frames_per_s": (frames - 1) / span_s if span_s else 0.0,
            "broken": self.broken,
            "lost": self.lost,
            "core_ms_per_frame": cpu_ms / frames if frames else 0.0,
        }
        return found | percentiles("exposure_to_hands", self._latencies_ns)


def percentiles(name: str, values_ns: list[int]) -> dict[str, float]:
    """Return the 50th and 99th percentile in ms, nothing for no values."""
    if not values_ns:
        return {}
    p50, p99 = np.percentile(values_ns, (50, 99)) / 1e6
    return {f"{name}_p50_ms": float(p50), f"{name}_p99_ms": float(p99)}

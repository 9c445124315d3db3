"""What a camera has been through since the station was opened: its state, its losses, how fast it came back."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from camera.errors import CameraError


class CameraState(StrEnum):
    """What a camera does now."""

    STOPPED = "STOPPED"  # open and silent: the line is stopped
    RUNNING = "RUNNING"  # exposures come
    IDLE = "IDLE"  # it works, and nothing triggers it; that may go on for a weekend and is no fault
    LOST = "LOST"  # it has gone, and is opened again and again
    HUNG = "HUNG"  # a call into its driver does not return


@dataclass(frozen=True, slots=True)
class CameraReport:
    """One look at a camera. cause, detail: of the loss that lasts, or of the last one. counters: what was counted.

    ptp: what the device says of its PTP clock ("Slave": it follows the network's), '' where it has none.
    clock_drift_ppm: how much faster its clock runs than the host's, in millionths; None before it is known.
    """

    name: str
    backend: str
    state: CameraState
    cause: str
    detail: str
    last_exposure_s: float | None
    last_recovery_ms: float | None
    counters: Mapping[str, int] = field(default_factory=dict)
    ptp: str = ""
    clock_drift_ppm: float | None = None


class CameraHistory:
    """Follows one camera. Written by its loop's threads, read by anyone."""

    IDLE_S = 2.0
    HUNG_S = 10.0

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = False
        self._alive_host_ns = time.monotonic_ns()
        self._exposed_host_ns: int | None = None
        self._lost_host_ns: int | None = None
        self._recovery_ms: float | None = None
        self._last: CameraError | None = None
        self._losses: Counter[str] = Counter()
        self.frames = 0
        self.broken_frames = 0
        self.lost_frames = 0
        self.reopened = 0
        self.ptp = ""
        self.clock_drift_ppm: float | None = None
        """Both written by the upkeep of the cameras."""

    def started(self) -> None:
        """Note that acquisition has begun."""
        self._alive_host_ns = time.monotonic_ns()
        self._running = True

    def stopped(self) -> None:
        """Note that acquisition has ended, and that no call into the driver is under way."""
        self._running = False

    def alive(self) -> None:
        """Note that a call into the driver has returned."""
        self._alive_host_ns = time.monotonic_ns()

    def exposed(self, lost_before: int, *, broken: bool) -> None:
        """Note an exposure, and those that never came before it."""
        self._exposed_host_ns = time.monotonic_ns()
        self.frames += not broken
        self.broken_frames += broken
        self.lost_frames += lost_before

    def lost(self, error: CameraError) -> None:
        """Note that the camera has gone."""
        with self._lock:
            self._lost_host_ns = time.monotonic_ns()
            self._last = error
            self._losses[error.cause] += 1

    def hangs(self, error: CameraError) -> None:
        """Note that a call into its driver does not return."""
        with self._lock:
            self._last = error
            self._losses[error.cause] += 1

    def still_lost(self, error: CameraError) -> None:
        """Note that it cannot be opened again, for another reason than before."""
        self._last = error

    def recovered(self) -> None:
        """Note that it works again."""
        with self._lock:
            if self._lost_host_ns is not None:
                self._recovery_ms = (time.monotonic_ns() - self._lost_host_ns) * 1e-6
            self._lost_host_ns = None
            self.reopened += 1
            self._alive_host_ns = time.monotonic_ns()

    @property
    def hung(self) -> bool:
        """True while a call into the driver has not returned for `HUNG_S`, and nobody opens the camera again."""
        since_s = (time.monotonic_ns() - self._alive_host_ns) * 1e-9
        return self._running and self._lost_host_ns is None and since_s > self.HUNG_S

    def report(self, name: str, backend: str, counters: Mapping[str, int]) -> CameraReport:
        """Return one look at it. counters: what its driver has counted."""
        with self._lock:
            last, losses = self._last, dict(self._losses)
        exposed = self._exposed_host_ns
        quiet_s = None if exposed is None else (time.monotonic_ns() - exposed) * 1e-9
        return CameraReport(
            name,
            backend,
            self._state(quiet_s),
            "" if last is None else str(last.cause),
            "" if last is None else str(last),
            None if quiet_s is None else round(quiet_s, 3),
            None if self._recovery_ms is None else round(self._recovery_ms, 1),
            {
                **counters,
                "frames": self.frames,
                "broken_frames": self.broken_frames,
                "lost_frames": self.lost_frames,
                "reopened": self.reopened,
                **{f"lost_{cause}": count for cause, count in losses.items()},
            },
            self.ptp,
            self.clock_drift_ppm,
        )

    def _state(self, quiet_s: float | None) -> CameraState:
        if self._lost_host_ns is not None:
            return CameraState.LOST
        if not self._running:
            return CameraState.STOPPED
        if self.hung:
            return CameraState.HUNG
        return CameraState.IDLE if quiet_s is None or quiet_s > self.IDLE_S else CameraState.RUNNING

"""The alarms that stand now: raised and cleared by name, from any thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from inspection.alarms import ALARMS
from inspection.control import ActiveAlarm


class AlarmBoard:
    """What is wrong at this moment. Owned by the station; texts and remedies live in the catalogues."""

    def __init__(self, now: Callable[[], int] = time.monotonic_ns) -> None:
        self._now = now
        self._active: dict[str, ActiveAlarm] = {}
        self._expires_host_ns: dict[str, int] = {}
        self._lock = threading.Lock()
        self.blocking = False
        """True while an alarm stands that forbids to pass parts; read by the hot threads without the lock."""
        self.faulty = False
        """True while one of those is a fault, which puts the station in ERROR."""
        self.raised = 0

    def raise_alarm(self, name: str, *, for_s: float | None = None, **values: object) -> bool:
        """Raise an alarm, until it is cleared or for `for_s` seconds; True when it did not stand before."""
        with self._lock:
            is_new = name not in self._active
            since_wall_ns = time.time_ns() if is_new else self._active[name].since_wall_ns
            self._active[name] = ActiveAlarm(name, since_wall_ns, {key: str(value) for key, value in values.items()})
            if for_s is None:
                self._expires_host_ns.pop(name, None)
            elif is_new or name in self._expires_host_ns:
                self._expires_host_ns[name] = self._now() + round(for_s * 1e9)
            self.raised += is_new
            self._settle()
            return is_new

    def clear(self, name: str) -> bool:
        """Clear an alarm; True when it stood."""
        with self._lock:
            self._expires_host_ns.pop(name, None)
            stood = self._active.pop(name, None) is not None
            self._settle()
            return stood

    def expire(self) -> None:
        """Clear the alarms whose time is over."""
        now_host_ns = self._now()
        with self._lock:
            over = [name for name, end in self._expires_host_ns.items() if end <= now_host_ns]
        for name in over:
            self.clear(name)

    def confirm(self) -> None:
        """Clear the alarms that would end by themselves: those that tell of a moment, not of a state."""
        with self._lock:
            passing = list(self._expires_host_ns)
        for name in passing:
            self.clear(name)

    def stands(self, name: str) -> bool:
        """Return whether an alarm stands now."""
        with self._lock:
            return name in self._active

    def active(self) -> tuple[ActiveAlarm, ...]:
        """Return what stands now, the gravest first, then the oldest."""
        with self._lock:
            return tuple(
                sorted(self._active.values(), key=lambda alarm: (not ALARMS[alarm.name].blocks, alarm.since_wall_ns))
            )

    def _settle(self) -> None:
        self.blocking = any(ALARMS[name].blocks for name in self._active)
        self.faulty = any(ALARMS[name].blocks and ALARMS[name].is_fault for name in self._active)

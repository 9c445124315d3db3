"""The station's own watch: it looks at everything, and tells the ejector that the station lives."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from inspection.supervision import Supervision

if TYPE_CHECKING:
    from inspection.faults.watch import EjectorWatch
    from inspection.station import Station


class Supervisor:
    """One thread beside a station, from its opening to its closing; owned by it. The rules are `Supervision`'s.

    The heartbeat goes on only while this loop does.
    """

    _TICK_S = 0.05
    _DISK_S = 10.0

    def __init__(self, station: Station, ejector: EjectorWatch) -> None:
        self._station = station
        self._alarms = station.alarms
        self._over = threading.Event()
        self._look_at_disk_host_ns = 0
        self._hung: set[str] = set()
        self.rules = Supervision(station, ejector, self._begin_stop)
        self._looks: tuple[Callable[[], None], ...] = (
            self._look_after_inference,
            self._look_after_disk,
            self.rules.look,
            self._look_after_cameras,
            self._tell_plc,
            self._look_at_state,
        )
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    @property
    def stopping(self) -> bool:
        """Return whether the line is being stopped because of a fault."""
        return self.rules.stopping

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def close(self) -> None:
        """End the watch: no sign of life goes out any more. Bounded."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(2.0)

    def _run(self) -> None:
        try:
            while not self._over.wait(self._TICK_S):
                for look in self._looks:
                    look()
        except Exception as error:  # noqa: BLE001 - the thread's edge: the heartbeat ends, and nothing passes any more
            self._alarms.raise_alarm("STATION_FAILED", detail=f"supervisor: {type(error).__name__}: {error}")

    def _tell_plc(self) -> None:
        station = self._station
        if station.plc is not None:
            station.plc.on_state(station.state, self._alarms.active())

    def _look_at_state(self) -> None:
        self._station.states.look()

    def _look_after_inference(self) -> None:
        self._alarms.tell("INFERENCE_STALLED", self._station.engine.stalled())

    def _look_after_disk(self) -> None:
        now_host_ns = time.monotonic_ns()
        if now_host_ns < self._look_at_disk_host_ns:
            return
        self._look_at_disk_host_ns = now_host_ns + round(self._DISK_S * 1e9)
        free_mb, limit_mb = self._station.memory.free_mb(), self._station.config.records.min_free_mb
        if free_mb < limit_mb:
            self._alarms.raise_alarm("DISK_LOW", free_mb=free_mb, limit_mb=limit_mb)
        else:
            self._alarms.clear("DISK_LOW")

    def _look_after_cameras(self) -> None:
        """Notice a driver whose call does not return, although nobody else can. No driver is asked for it."""
        for line in self._station.lines:
            name = line.camera.name
            if line.history.hung and name not in self._hung:
                self._hung.add(name)
                line.tell_hung()
            elif name in self._hung and not line.history.hung:
                self._hung.discard(name)
                line.tell_alive()

    def _begin_stop(self) -> None:
        threading.Thread(target=self._stop_by_fault, name="stop-by-fault", daemon=True).start()

    def _stop_by_fault(self) -> None:
        """Reject whatever still triggers while the belt runs out without a heartbeat, then stop the line."""
        try:
            self._station.stop_line()
        except Exception as error:  # noqa: BLE001 - the thread's edge: nothing passes any more
            self._alarms.raise_alarm("STATION_FAILED", detail=f"stop: {type(error).__name__}: {error}")
        finally:
            self.rules.stopped(for_good=self._over.is_set())
            self._station.states.look()

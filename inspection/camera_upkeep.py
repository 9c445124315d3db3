"""What cameras need beside their frames, and what may take as long as a device does: looked after at a slow pace."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from camera.errors import CameraError, CameraLostError
from camera.interface import Camera
from inspection.camera_loop import CameraLoop
from inspection.clock_drift import ClockDrift
from inspection.faults.watch import CameraWatch

if TYPE_CHECKING:
    from inspection.station import Station

_log = logging.getLogger(__name__)


class CameraUpkeep:
    """One thread beside a station, from its opening to its closing; owned by it. No frame, no heartbeat waits for it.

    It opens cameras that are lost while the line stands, holds their settings against what was written, asks for their
    clocks, and follows what their links lose. A camera with other settings than the recipe's has CAMERA_CHANGED raised,
    since what the model sees is not what it was released with; once the line stands the camera is opened anew, which
    writes them again.
    """

    _TICK_S = 0.1
    LOOK_S = 30.0
    AGAIN_S = 0.5
    """Only what differs in two looks so far apart is changed: a device may be in the middle of something."""

    def __init__(self, station: Station, commands: threading.Lock) -> None:
        self._station = station
        self._alarms = station.alarms
        self._commands = commands
        self._over = threading.Event()
        self._look_host_ns = time.monotonic_ns() + round(self.LOOK_S * 1e9)  # opening has just read all back
        self._changed: dict[str, str] = {}
        self._sound_until = 0  # the last part that was there when all settings were still as they were written
        self._links = CameraWatch(station.alarms)
        self._drifts = {line.camera.name: ClockDrift() for line in station.lines}
        self._thread = threading.Thread(target=self._run, name="camera-upkeep", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End. Bounded: a device that takes long is left to itself, and closed when it has answered."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(2.0)

    def _run(self) -> None:
        lines = self._station.lines
        try:
            while not self._over.wait(self._TICK_S):
                self._mend(lines)
                self._look(lines)
                self._links.look(self._station.camera_reports, time.monotonic_ns())
        except Exception as error:  # noqa: BLE001 - the thread's edge: nobody would notice changed settings any more
            self._alarms.raise_alarm("STATION_FAILED", detail=f"camera upkeep: {type(error).__name__}: {error}")

    def _mend(self, lines: Sequence[CameraLoop]) -> None:
        """Open what is lost, and anew what was changed, so that the line can be started.

        No command waits for a device that is lost: its alarm keeps the line from being started meanwhile.
        """
        for line in lines:
            if line.lost and not self._station.wants_to_run:
                line.mend()
                if self._over.is_set():
                    line.camera.close()
            elif line.camera.name in self._changed:
                self._renew(line)

    def _renew(self, line: CameraLoop) -> None:
        """Open a changed camera anew once the line stands."""

        def renew() -> None:
            del self._changed[line.camera.name]
            line.renew()
            self._look_host_ns = 0

        self._while_standing(line, renew)

    def _while_standing(self, line: CameraLoop, what: Callable[[], None]) -> None:
        """Do something with a camera that is not lost, unless the line runs or a command is just being carried out."""
        if not self._commands.acquire(blocking=False):
            return
        try:
            if not self._station.wants_to_run and not line.lost:
                what()
        finally:
            self._commands.release()

    def _look(self, lines: Sequence[CameraLoop]) -> None:
        """Hold all settings against what was written, and read the clocks; does something every 30 s."""
        if time.monotonic_ns() < self._look_host_ns:
            return
        parts = self._station.triggers  # those that come during the look may be seen with other settings
        found = [self._look_at(line) for line in lines]
        if all(found) and not self._changed:
            self._sound_until = parts
        self._tell()
        self._look_host_ns = time.monotonic_ns() + round(self.LOOK_S * 1e9)

    def _look_at(self, line: CameraLoop) -> bool:
        """Look at one camera; return whether it answered. While the line runs its grabbing thread tells of its loss."""
        if line.lost:
            return False
        camera = line.camera
        try:
            changed = "; ".join(self._differing(camera))
        except CameraError as error:
            _log.info("camera '%s': its settings cannot be looked at now: %s", camera.name, error)
            if isinstance(error, CameraLostError):
                self._while_standing(line, partial(line.gone, error))
            return False
        if changed and camera.name not in self._changed:
            _log.warning("camera '%s': its settings are no longer those that were written: %s", camera.name, changed)
        if changed:
            self._changed[camera.name] = changed
        else:
            self._changed.pop(camera.name, None)
        with suppress(CameraError):
            line.history.ptp = camera.ptp_status() or ""
            reading = camera.read_clock()
            if reading is not None:
                line.history.clock_drift_ppm = self._drifts[camera.name].add(reading)
        return True

    def _differing(self, camera: Camera) -> list[str]:
        differing = camera.check_settings()
        if not differing or self._over.wait(self.AGAIN_S):
            return []
        again = camera.check_settings()
        return [one for one in again if one in differing]

    def _tell(self) -> None:
        if not self._changed:
            self._alarms.clear("CAMERA_CHANGED")
            return
        self._alarms.raise_alarm(
            "CAMERA_CHANGED",
            detail="; ".join(f"{name}: {changed}" for name, changed in self._changed.items()),
            first=self._sound_until + 1,
        )

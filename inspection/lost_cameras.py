"""The cameras that a station has lost at this moment, in one alarm: nothing passes while any of them is lost."""

from __future__ import annotations

import threading

from camera.errors import CameraError
from inspection.alarm_board import AlarmBoard
from inspection.texts.sentences import without_advice


class LostCameras:
    """Owned by the station's assembly; told by the threads of the cameras."""

    def __init__(self, alarms: AlarmBoard) -> None:
        self._alarms = alarms
        self._troubles: dict[str, CameraError] = {}
        self._lock = threading.Lock()

    def lost(self, camera: str, trouble: CameraError) -> None:
        """Take note that a camera has gone, or why it still is; the newest reason is the alarm's."""
        with self._lock:
            self._troubles.pop(camera, None)
            self._troubles[camera] = trouble
            self._show()

    def back(self, camera: str) -> None:
        """Take note that a camera works again."""
        with self._lock:
            self._troubles.pop(camera, None)
            self._show()

    def _show(self) -> None:
        troubles = list(self._troubles.values())
        if troubles:
            detail = "; ".join(without_advice(str(one)) for one in troubles)
            self._alarms.raise_alarm("CAMERA_LOST", detail=detail, why=f"CAMERA_{troubles[-1].cause.name}")
        else:
            self._alarms.clear("CAMERA_LOST")

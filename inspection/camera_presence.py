"""Whether a camera is there: opening it, saying once that it has gone and why, and that it works again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from camera.errors import CameraError, CameraLostError, CameraOpenError, Cause
from camera.interface import Camera
from inspection.camera_history import CameraHistory


@dataclass(frozen=True, slots=True)
class CameraEvents:
    """What a camera's loop tells the station, on the camera's threads."""

    lost: Callable[[CameraError], None]  # the camera has gone, and why
    recovered: Callable[[], None]  # it works again
    failed: Callable[[str], None]  # a thread ended by an error that nobody expected
    misfit: Callable[[Camera], str] = lambda _camera: ""  # why no part could be judged in its pictures, '' if it can


class CameraPresence:
    """Keeps what is known of one camera's being there; owned by its loop. A loss is told from any thread, once."""

    def __init__(self, camera: Camera, history: CameraHistory, events: CameraEvents) -> None:
        self._camera, self._history, self._events = camera, history, events
        self._lost = threading.Event()
        self._telling = threading.Lock()  # of a loss and of a driver that hangs: two threads notice them
        self._why = Cause.UNKNOWN
        self._picture_size = camera.picture_size  # of the pictures that this station began with

    @property
    def lost(self) -> bool:
        """True while the camera is lost."""
        return self._lost.is_set()

    def open(self) -> None:
        """Open the camera and hold its pictures against the regions and those before. Raises CameraError."""
        self._camera.open()
        misfit = self._events.misfit(self._camera) or self._resized()
        if misfit:
            raise CameraOpenError(f"camera '{self._camera.name}': {misfit}", Cause.REFUSED)

    def lose(self, error: CameraError) -> None:
        """Say that it has gone."""
        with self._telling:
            self._lost.set()
            self._why = error.cause
            self._history.lost(error)
            self._events.lost(error)

    def still_lost(self, error: CameraError) -> None:
        """Tell of it when another reason than before keeps the camera away: back, but another program holds it …"""
        if error.cause is not self._why:
            self._why = error.cause
            self._history.still_lost(error)
            self._events.lost(error)

    def found(self) -> None:
        """Say that it works again."""
        self._history.recovered()
        self._lost.clear()
        self._events.recovered()

    def tell_hung(self) -> None:
        """Say that a call into the driver does not return, if that is so."""
        with self._telling:
            if self._history.hung:
                error = self.hung_error()
                self._history.hangs(error)
                self._events.lost(error)

    def tell_alive(self) -> None:
        """Say that the call has returned after all; one that returned only to say that the camera has gone is lost."""
        with self._telling:
            if not self.lost:
                self._events.recovered()

    def hung_error(self) -> CameraLostError:
        """Return what is said of a driver whose call does not return."""
        text = (
            f"camera '{self._camera.name}': its driver does not answer; a driver with own_process = true is ended "
            "after watchdog_s and begun anew; start the station again"
        )
        return CameraLostError(text, Cause.HUNG)

    def _resized(self) -> str:
        """Return how an open camera's pictures have another size than before; '' where they do not.

        A device that lost its power, or another one in its place, may show another part of the belt, at another scale.
        """
        before, now = self._picture_size, self._camera.picture_size
        if before is None or now is None or now == before:
            self._picture_size = before or now
            return ""
        return (
            f"its pictures are {now[0]}×{now[1]} now — they were {before[0]}×{before[1]} when the station began — set "
            "the camera as it was (roi in the station's file keeps it so), or start the station anew if this is meant"
        )

"""Pictures outside a line: a camera that waits for software is asked, and one picture is waited for."""

from __future__ import annotations

import time
from collections.abc import Iterator

from camera.errors import RecordingError
from camera.frame import Frame
from camera.interface import Camera

_GRAB_S = 0.1
_ASK_AGAIN_S = 2.0  # a picture that was asked for and does not come is asked for again


class Asking:
    """Asks a started camera that takes triggers from software for the next picture when the one before has come."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self._asked_host_ns: int | None = None

    def ask(self) -> None:
        """Ask, unless a picture is on its way or the camera has triggers of its own. Raises CameraLostError."""
        now_host_ns = time.monotonic_ns()
        waiting = self._asked_host_ns is not None and now_host_ns - self._asked_host_ns < _ASK_AGAIN_S * 1e9
        if self._camera.takes_software_trigger and not waiting:
            self._asked_host_ns = now_host_ns
            self._camera.trigger()

    def answered(self) -> None:
        """Take note that an exposure has come."""
        self._asked_host_ns = None


def whole_frames(camera: Camera, count: int, timeout_s: float) -> Iterator[Frame]:
    """Start an open camera and yield its whole frames, `count` of them.

    Ends early where no other came for `timeout_s`, or a recording is at its end. Raises CameraError.
    """
    camera.start()
    asking = Asking(camera)
    taken, last_s = 0, time.monotonic()
    while taken < count and time.monotonic() - last_s < timeout_s and not camera.exhausted:
        asking.ask()
        exposure = camera.grab(None, min(_GRAB_S, timeout_s))
        if exposure is not None:
            asking.answered()
        if isinstance(exposure, Frame):
            taken, last_s = taken + 1, time.monotonic()
            yield exposure


def take_one(camera: Camera, timeout_s: float) -> Frame:
    """Start an open camera and return its first whole frame. Raises RecordingError when none came in time."""
    camera.start()
    until_host_ns = time.monotonic_ns() + round(timeout_s * 1e9)
    asking = Asking(camera)
    broken = ""
    while time.monotonic_ns() < until_host_ns and not camera.exhausted:
        asking.ask()
        exposure = camera.grab(None, min(_GRAB_S, timeout_s))
        if isinstance(exposure, Frame):
            return exposure
        if exposure is not None:
            broken = exposure.why
            asking.answered()
    why = f"; those that came were broken: {broken}" if broken else ""
    raise RecordingError(
        f"camera '{camera.name}': no whole picture in {timeout_s:g} s{why}; a triggered camera waits for its trigger: "
        "give it one, raise --timeout, or let it run free (--option trigger=free_run)"
    )

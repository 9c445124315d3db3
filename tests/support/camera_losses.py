"""Waiting for a camera to be lost."""

from __future__ import annotations

import time

from camera.errors import CameraLostError
from camera.interface import Camera

_BOUND_S = 60.0


def lost(camera: Camera) -> CameraLostError:
    """Grab until the camera is lost; return what it was lost with."""
    until = time.monotonic() + _BOUND_S
    while time.monotonic() < until:
        try:
            camera.grab(None, 0.2)
        except CameraLostError as error:
            return error
    raise AssertionError("the camera was not lost")

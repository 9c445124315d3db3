"""What can go wrong with a camera.

CameraError                 anything below
├── CameraOptionsError      the options make no camera (unknown backend, bad value): mend the configuration
├── CameraOpenError         no such device, no permission, held by another program: mend the wiring, try again
├── CameraLostError         the device went away while in use: the station closes and opens it again
└── PixelFormatError        the pixels are not what their format says, or the format is not read: that part is rejected

Each text says what happened with which value, what is allowed, and what to do next.
"""

from __future__ import annotations


class CameraError(Exception):
    """Base of all camera errors; `exit_code` is what a command line ends with."""

    exit_code = 1


class CameraOptionsError(CameraError):
    """The configuration does not describe a camera."""

    exit_code = 2


class CameraOpenError(CameraError):
    """The device cannot be opened."""


class CameraLostError(CameraError):
    """The device disappeared while it was in use; only `close()` is allowed now."""


class PixelFormatError(CameraError):
    """A frame's pixels cannot be read as its pixel format."""

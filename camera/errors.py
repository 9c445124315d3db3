"""What can go wrong with a camera.

CameraError                 anything below
├── CameraOptionsError      the options make no camera (unknown backend, bad value): mend the configuration
├── CameraOpenError         no such device, no permission, held by another program: mend the wiring, try again
├── CameraLostError         the device went away while in use: the station closes and opens it again
├── NodeError               a feature of the device cannot be read, written or executed: the value and its limits
├── RecordingError          pictures cannot be recorded: none comes, or the disk has no room
└── PixelFormatError        the pixels are not what their format says, or the format is not read: that part is rejected

Each text says what happened with which value, what is allowed, and what to do next.
"""

from __future__ import annotations

from enum import StrEnum


class Cause(StrEnum):
    """Why a camera cannot be used, for a state, a counter and a remedy each; UNKNOWN where nobody can tell."""

    UNKNOWN = "unknown"
    ABSENT = "absent"  # no device answers to the name: unplugged, without power, or at another address
    HELD = "held"  # another program controls it
    REFUSED = "refused"  # it does not take a setting, or gives another back
    SILENT = "silent"  # it is there, should send frames and does not
    CONTROL_LOST = "control_lost"  # it stopped to answer, or took the control away
    HUNG = "hung"  # a call into the driver did not return
    CRASHED = "crashed"  # the driver took its process down
    NETWORK = "network"  # packets do not come through: the size, the route, the bandwidth
    INSTALLATION = "installation"  # a library or a permission is missing


class CameraError(Exception):
    """Base of all camera errors; `exit_code` is what a command line ends with. cause: what it is, in one word."""

    exit_code = 1

    def __init__(self, text: str, cause: Cause = Cause.UNKNOWN) -> None:
        super().__init__(text)
        self.cause = cause

    def __reduce__(self) -> tuple[type[CameraError], tuple[str, Cause]]:
        return type(self), (str(self), self.cause)  # it travels from the process that the driver lives in


class CameraOptionsError(CameraError):
    """The configuration does not describe a camera."""

    exit_code = 2


class CameraOpenError(CameraError):
    """The device cannot be opened."""


class CameraLostError(CameraError):
    """The device disappeared while it was in use; only `close()` is allowed now."""


class NodeError(CameraError):
    """A feature of the device is not there, not writable now, or does not take the value."""


class RecordingError(CameraError):
    """Pictures cannot be recorded, or not all that were wanted."""


class PixelFormatError(CameraError):
    """A frame's pixels cannot be read as its pixel format."""

"""What can go wrong with the geometry of pictures.

GeometryError              anything below
├── CalibrationError       the pictures of the board do not give a lens that one may rely on: take better ones
│   └── BoardError         there is no such board: mend its description
├── GeometryFileError      a calibration or a reference of a part cannot be read, or does not fit: make it anew
└── NotLocatedError        the part was not found where it may lie: that part is rejected
"""

from __future__ import annotations

from camera.geometry.pose import Pose


class GeometryError(Exception):
    """Base of what goes wrong here; `exit_code` is what a command line ends with."""

    exit_code = 1


class CalibrationError(GeometryError):
    """The pictures of the board do not give a lens that one may rely on."""


class BoardError(CalibrationError):
    """What is said of the board describes none."""

    exit_code = 2


class GeometryFileError(GeometryError):
    """A calibration, or the reference of a part, cannot be used."""

    exit_code = 2


class NotLocatedError(GeometryError):
    """The part lies nowhere where it may lie; pose: the best place that was found, for the record alone."""

    def __init__(self, text: str, pose: Pose | None = None) -> None:
        super().__init__(text)
        self.pose = pose

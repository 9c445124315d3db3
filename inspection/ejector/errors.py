"""What can go wrong with an ejector.

EjectorError                anything below
├── EjectorOptionsError     the configuration describes no ejector: mend it
├── EjectorOpenError        the port does not exist, is taken or forbidden: mend the wiring or the rights
└── EjectorLostError        the port went away while in use: the scheduler reconnects, the station is in Error
"""

from __future__ import annotations


class EjectorError(Exception):
    """Base of all ejector errors; `exit_code` is what a command line ends with."""

    exit_code = 1


class EjectorOptionsError(EjectorError):
    """The configuration does not describe an ejector."""

    exit_code = 2


class EjectorOpenError(EjectorError):
    """The port cannot be opened."""


class EjectorLostError(EjectorError):
    """The port disappeared while it was in use."""

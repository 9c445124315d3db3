"""What can go wrong with serial numbers.

IdentityError               anything below
└── SerialRefusedError      a serial number, or its moment, is none that can be taken
ConfigError
└── CodesMissingError       codes are to be read, and what reads them is not installed
"""

from __future__ import annotations

from inspection.errors import ConfigError


class IdentityError(Exception):
    """Base of the errors of serial numbers; `exit_code` is what a command line ends with."""

    exit_code = 1


class CodesMissingError(ConfigError):
    """The extra that reads codes is not installed."""


class SerialRefusedError(IdentityError):
    """A serial number that nobody can take, or that comes at the wrong moment."""

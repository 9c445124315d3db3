"""What can go wrong with serial numbers.

IdentityError               anything below
├── CodesMissingError       what reads codes is not installed
└── SerialRefusedError      a serial number, an answer or its moment is none that can be taken
"""

from __future__ import annotations


class IdentityError(Exception):
    """Base of the errors of serial numbers; `exit_code` is what a command line ends with."""

    exit_code = 1


class CodesMissingError(IdentityError):
    """The extra that reads codes is not installed."""


class SerialRefusedError(IdentityError):
    """A serial number that nobody can take, or an answer to no question."""

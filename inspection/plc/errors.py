"""What can go wrong with the PLC's port.

PlcError              anything below
├── PlcMissingError   the extra that speaks Modbus is not installed
└── PlcOpenError      the address or serial port cannot be opened
"""

from __future__ import annotations


class PlcError(Exception):
    """Base of the PLC port's errors; `exit_code` is what a command line ends with."""

    exit_code = 1


class PlcMissingError(PlcError):
    """The extra that speaks Modbus is not installed."""


class PlcOpenError(PlcError):
    """The address or the serial port cannot be opened."""

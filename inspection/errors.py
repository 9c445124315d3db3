"""What can go wrong with the station as a whole.

StationError            anything below
├── ConfigError         the configuration file: every problem in one text
└── StationStartError   the station cannot come up: a device, a port, the model, the disk
"""

from __future__ import annotations


class StationError(Exception):
    """Base of the station's errors; `exit_code` is what a command line ends with."""

    exit_code = 1


class ConfigError(StationError):
    """The configuration does not describe a station."""

    exit_code = 2


class StationStartError(StationError):
    """The station cannot come up."""

"""What can go wrong with the plant's copy.

PlantError                  anything below
├── PlantAwayError          it does not answer, or refuses for now: it is tried again
├── PlantSettingsError      a driver is not installed, or an address cannot be used: mend the configuration
└── PlantConflictError      something else is there under our name: nothing is written over it
"""

from __future__ import annotations


class PlantError(Exception):
    """Base of the errors of the plant's copy; `exit_code` is what a command line ends with."""

    exit_code = 1


class PlantAwayError(PlantError):
    """The other end does not answer, or refuses for now."""


class PlantSettingsError(PlantError):
    """The configuration cannot be used here."""

    exit_code = 2


class PlantConflictError(PlantError):
    """Another file lies where ours belongs."""

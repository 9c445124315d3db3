"""What can go wrong with the reject controller beside what goes wrong with any ejector.

EjectorError
└── EjectorOpenError
    ├── ControllerBuildError     the simulated controller cannot be built here: install a C++ compiler
    └── ControllerRefusedError   the controller answers, but speaks another version or refuses the configuration
"""

from __future__ import annotations

from inspection.ejector.errors import EjectorOpenError


class ControllerBuildError(EjectorOpenError):
    """The controller's core cannot be compiled on this machine."""


class ControllerRefusedError(EjectorOpenError):
    """The controller does not do what it was told at the start."""

"""What can go wrong while a camera is tuned, beside what can go wrong with the camera itself."""

from __future__ import annotations


class TuningError(Exception):
    """What was asked for cannot be done now: the value, what is allowed, and what to do next."""

    exit_code = 1

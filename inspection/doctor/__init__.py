"""Looks at the machine and at its cameras, and says for each thing that is wrong the command that mends it."""

from inspection.doctor.cameras import examine_cameras
from inspection.doctor.finding import Finding
from inspection.doctor.machine import examine

__all__ = ["Finding", "examine", "examine_cameras"]

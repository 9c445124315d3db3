"""Looks at the machine, its cameras and the plant's servers, and says for each thing that is wrong what mends it."""

from inspection.doctor.cameras import examine_cameras
from inspection.doctor.finding import Finding
from inspection.doctor.machine import examine
from inspection.doctor.plant import examine_plant

__all__ = ["Finding", "examine", "examine_cameras", "examine_plant"]

"""What can go wrong, what happens then, and what the recipe may choose: one table, kept by the tests."""

from inspection.faults.reactions import (
    choosable,
    less_than_stopping,
    problems,
    reactions_of_alarms,
    reactions_of_faults,
)
from inspection.faults.row import Fault, NotCaused, Wiring
from inspection.faults.table import FAULTS

__all__ = [
    "FAULTS",
    "Fault",
    "NotCaused",
    "Wiring",
    "choosable",
    "less_than_stopping",
    "problems",
    "reactions_of_alarms",
    "reactions_of_faults",
]

"""What can go wrong, what happens then, and what the recipe may choose: one table, kept by the tests."""

from inspection.faults.reactions import choosable, problems, reactions_of_alarms
from inspection.faults.row import Fault, NotCaused, Wiring
from inspection.faults.table import FAULTS

__all__ = ["FAULTS", "Fault", "NotCaused", "Wiring", "choosable", "problems", "reactions_of_alarms"]

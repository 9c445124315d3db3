"""What can go wrong with the challenge."""

from __future__ import annotations

from inspection.faults.row import Fault
from inspection.faults.rows import says

CHALLENGE_DUE = Fault(
    name="challenge_due",
    what="the recipe wants a passed challenge before production, and none is valid",
    alarm="CHALLENGE_DUE",
    station="nothing passes; the line runs all the same, so that a challenge can be passed",
    ejector=says.REJECTS,
    recovers="when a challenge has been passed",
    test="tests/integration/test_challenge_line.py::test_production_waits_for_a_passed_challenge",
)

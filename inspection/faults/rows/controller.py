"""What can go wrong with a controller that times and rejects by itself."""

from __future__ import annotations

from inspection.alarms import Reaction
from inspection.faults.row import CONTROLLED, UNSAFE, Fault, NotCaused

CONTROLLER_RESET = Fault(
    name="controller_reset",
    what="a device-timed controller was reset and has forgotten its parts",
    alarm="CONTROLLER_RESET",
    station="nothing passes until it counts again; the parts that it forgot are recorded as FAILED",
    ejector="parts of before the reset have no tag any more; the dead-man output is safe until the host is back",
    recovers="by itself when the controller's triggers are matched again",
    lets_by=CONTROLLED,
    default=Reaction.REJECT_ALL,
    allowed=UNSAFE,
    test="tests/integration/test_controller_driver.py::test_a_reset_of_the_controller_is_noticed",
)

CONTROLLER_FAULT = Fault(
    name="controller_fault",
    what="a device-timed controller reports a fault of its own: a late pulse, a full memory, a stray ejection",
    alarm="CONTROLLER_FAULT",
    station="nothing passes for 15 s",
    ejector="rejects every tag by itself",
    recovers="15 s after the last report",
    lets_by=CONTROLLED,
    default=Reaction.REJECT_ALL,
    allowed=UNSAFE,
    test=NotCaused(
        "the tests of the controller's core cause each of them",
        "tests/unit/test_controller_core.py::test_a_full_fifo_is_held_shut",
    ),
)

UNKNOWN_PART = Fault(
    name="unknown_part",
    what="a part is at the ejector that never crossed the photo-eye",
    alarm="UNKNOWN_PART",
    station="the line is stopped until somebody has looked: a part was put on by hand, or the photo-eye misses parts",
    ejector="nothing was armed for it: it passes, except where the gate diverts what no pulse releases",
    recovers="15 s after the last one, and the line waits for Start (or, held, when somebody confirms it)",
    lets_by=CONTROLLED,
    default=Reaction.HOLD,
    allowed=UNSAFE,
    test="tests/integration/test_station_controller.py::test_the_sensors_of_a_controller_reach_the_operator",
)

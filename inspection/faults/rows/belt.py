"""What can go wrong with the belt, its encoder and the places of the parts on it."""

from __future__ import annotations

from inspection.alarms import Reaction
from inspection.faults.row import ANY, RELAY, UNSAFE, Fault
from inspection.faults.rows import says

PARTS_TOO_CLOSE = Fault(
    name="parts_too_close",
    what="a part comes closer to the one before it than a reject pulse is long",
    alarm="PARTS_TOO_CLOSE",
    station="judges both; their pulses merge, so a good part may go with a bad neighbour",
    ejector="holds the pulse on until the later of the two has ended",
    recovers="15 s after the last such pair",
    default=Reaction.WARN,
    allowed=ANY,
    test="tests/integration/test_fault_process.py::test_fault_parts_too_close",
)

ENCODER_SILENT = Fault(
    name="encoder_silent",
    what="the encoder sends nothing although parts arrive",
    alarm="ENCODER_SILENT",
    station="nothing passes: nobody knows where the parts are; the heartbeat is withdrawn",
    ejector=says.SILENT,
    recovers="by itself when the encoder counts again",
    lets_by=RELAY,
    default=Reaction.REJECT_ALL,
    allowed=UNSAFE,
    test="tests/unit/test_fault_watch.py::test_fault_encoder_silent",
)

BELT_STOPPED = Fault(
    name="belt_stopped",
    what="the belt stands",
    alarm="BELT_STOPPED",
    station="waits: the parts on it keep their places, and their moments move with the belt",
    ejector="fires when the part gets there, not before",
    recovers="by itself when the belt runs",
    test="tests/unit/test_fault_watch.py::test_fault_belt_stopped",
)

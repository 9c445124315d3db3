"""What can go wrong with the PLC."""

from __future__ import annotations

from inspection.alarms import Reaction
from inspection.faults.row import UNSAFE, Fault
from inspection.faults.rows import says

PLC_QUIET = Fault(
    name="plc_quiet",
    what="the PLC's heartbeat does not change any more, and [plc].silence says that production goes on",
    alarm="PLC_QUIET",
    station="goes on; no result is shown to the PLC as valid",
    ejector=says.NOTHING,
    recovers="by itself when its heartbeat changes again",
    test="tests/integration/test_plc_station.py::test_a_silent_plc_may_be_a_warning",
)

PLC_SILENT = Fault(
    name="plc_silent",
    what="the PLC's heartbeat does not change any more",
    alarm="PLC_SILENT",
    station="nothing passes, and no result is shown to it as valid",
    ejector=says.REJECTS,
    recovers="by itself when its heartbeat changes again",
    default=Reaction.REJECT_ALL,
    allowed=UNSAFE,
    test="tests/integration/test_plc_station.py::test_a_silent_plc_blocks_the_station_until_it_is_back",
)

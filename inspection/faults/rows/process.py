"""What can go wrong with the station's processes, its threads and its clock."""

from __future__ import annotations

from inspection.alarms import Reaction
from inspection.faults.row import ANY, RELAY, UNSAFE, Fault, Wiring
from inspection.faults.rows import says

CLOCK_STEPPED = Fault(
    name="clock_stepped",
    what="the PC's clock was set by more than half a second",
    alarm="CLOCK_STEPPED",
    station="nothing depends on it: deadlines and pulses follow the monotonic clock, and the times in the records "
    "of a run follow from its start, so they keep their order",
    ejector=says.NOTHING,
    recovers="a minute after the last step; the next run has the new time",
    default=Reaction.WARN,
    allowed=ANY,
    test="tests/integration/test_fault_surroundings.py::test_fault_clock_stepped",
)

STATION_FAILED = Fault(
    name="station_failed",
    what="a thread of the station has failed: a defect of the program",
    alarm="STATION_FAILED",
    station="nothing passes, and the heartbeat is withdrawn",
    ejector=says.SILENT,
    recovers="start the station again",
    lets_by=RELAY,
    default=Reaction.REJECT_ALL,
    allowed=UNSAFE,
    test="tests/integration/test_fault_parts.py::test_fault_station_failed",
)

STATION_KILLED = Fault(
    name="station_killed",
    what="the station's process is killed",
    station="nothing any more; at its next start each part that was in flight gets its record: rejected (SYSTEM)",
    ejector={
        **says.SILENT,
        Wiring.BARE: "fires every armed reject, switches every channel off and ends; parts that come later pass",
        Wiring.WATCHDOG: "fires every armed reject and ends; the heartbeat stops at once: the watchdog stops the belt",
    },
    recovers="start it again (systemd does)",
    test="tests/integration/test_fault_process.py::test_fault_station_killed",
)

STATION_FROZEN = Fault(
    name="station_frozen",
    what="the station's process or the whole PC stands still",
    station="when it goes on, parts that crossed meanwhile are rejected or recorded as FAILED",
    ejector={
        **says.SILENT,
        Wiring.BARE: "fires every armed reject; parts that crossed the photo-eye meanwhile pass",
        Wiring.WATCHDOG: "fires every armed reject; the heartbeat stops after `alive_timeout_ms`: the belt is stopped",
    },
    recovers="by itself when it goes on",
    test="tests/integration/test_fault_process.py::test_fault_station_frozen",
)

PAGE_DIED = Fault(
    name="page_died",
    what="the page's process is killed",
    alarm="PAGE_RESTARTED",
    station="starts it again on the same port; the line never notices",
    ejector=says.NOTHING,
    recovers="by itself",
    test="tests/integration/test_fault_surroundings.py::test_fault_page_died",
)

LOT_INTERRUPTED = Fault(
    name="lot_interrupted",
    what="a lot that ran was paused, or cut off by a halt, a reset, or an end of the station's program",
    alarm="LOT_INTERRUPTED",
    station="goes on without it: parts that come meanwhile are inspected, but belong to this lot no more",
    ejector=says.NOTHING,
    recovers="when the lot is resumed, stopped or aborted",
    test="tests/integration/test_station_lots.py::test_an_interrupted_lot_is_told_until_somebody_decides",
)

CERTIFICATE_EXPIRES = Fault(
    name="certificate_expires",
    what="the API's TLS certificate, or the CA of its clients, ends within 30 days or has ended",
    alarm="CERTIFICATE_EXPIRES",
    station="goes on, and so does the page; other programs refuse an expired certificate",
    ejector=says.NOTHING,
    recovers="by itself when the renewed files are in place; no restart",
    test="tests/integration/test_api_tls.py::test_a_certificate_that_ends_soon_is_an_alarm",
)

ACCESS_UNREADABLE = Fault(
    name="access_unreadable",
    what="the access file of the API is deleted, spoilt or open to others while the station runs",
    alarm="ACCESS_UNREADABLE",
    station="goes on, and so does the page; nobody is admitted with a token or a client certificate, not even who was "
    "in the file before: the change may have revoked him",
    ejector=says.NOTHING,
    recovers="by itself half a second after the file can be read again; no restart",
    test="tests/integration/test_api_tls.py::test_an_access_file_that_is_lost_is_an_alarm_and_admits_nobody",
)

"""What can go wrong with the ejector: its port, its process, its pulses and what is behind it."""

from __future__ import annotations

from inspection.alarms import Reaction
from inspection.faults.row import ANY, EVERY, GATE, RELAY, UNSAFE, Fault, Wiring
from inspection.faults.rows import says

EJECTOR_PORT_GONE = Fault(
    name="ejector_port_gone",
    what="the ejector's cable is pulled, or the port takes nothing any more",
    alarm="EJECTOR_LOST",
    station="nothing passes; parts whose reject could not be written are recorded as FAILED; the port is opened "
    "again and again, and every channel is switched off first",
    ejector={
        Wiring.BARE: "nothing: parts pass until the port is back",
        Wiring.WATCHDOG: "no heartbeat reaches it: the watchdog relay or the PLC stops the belt",
        Wiring.POSITIVE: "the gate diverts every part",
        Wiring.CONTROLLER: "rejects every tag by itself",
    },
    recovers="by itself when the port is back",
    lets_by=RELAY,
    default=Reaction.REJECT_ALL,
    allowed=UNSAFE,
    test="tests/integration/test_fault_surroundings.py::test_fault_ejector_port_gone",
)

EJECTOR_PROCESS_DIED = Fault(
    name="ejector_process_died",
    what="the ejector's own process was killed, has ended, or says nothing for 2 s",
    alarm="EJECTOR_LOST",
    station="ends it for good, records what was armed in it as FAILED, starts another; nothing passes meanwhile",
    ejector={**says.SILENT, Wiring.BARE: "nothing: parts pass until the new process has the port"},
    recovers="by itself, with a new process",
    goes_with="ejector_port_gone",
    test="tests/integration/test_fault_process.py::test_fault_ejector_process_died",
)

PULSE_OUTSIDE_WINDOW = Fault(
    name="pulse_outside_window",
    what="a pulse was written further from its moment than `window_ms`, or, as the encoder tells afterwards, from its "
    "place",
    alarm="WRONG_PULSE",
    station="records the part as FIRED_LATE and counts the pulse as wrong",
    ejector="the pulse may hit a neighbour; it can not be taken back",
    recovers="15 s after the last one",
    lets_by=EVERY,
    default=Reaction.WARN,
    allowed=ANY,
    test="tests/integration/test_fault_process.py::test_fault_pulse_outside_window",
)

PULSE_TOO_LONG = Fault(
    name="pulse_too_long",
    what="the end of a pulse was written later than other parts can be told of beforehand",
    alarm="PULSE_TOO_LONG",
    station="counts the pulse as too long; parts behind its own may be in the bin, recorded as PASS",
    ejector="switches off as soon as it can",
    recovers="15 s after the last one",
    default=Reaction.WARN,
    allowed=ANY,
    test="tests/unit/test_ejector_long_pulses.py::test_a_pulse_that_ends_late_is_counted",
)

PULSE_FAILED = Fault(
    name="pulse_failed",
    what="a reject could not be written, or came so late that its part had gone",
    alarm="EJECTOR_PULSE_FAILED",
    station="records the part as FAILED: it has to be taken off by hand",
    ejector="does not fire for that part: a late pulse would hit another one",
    recovers="15 s after the last one",
    lets_by=EVERY,
    default=Reaction.WARN,
    allowed=ANY,
    test="tests/integration/test_fault_process.py::test_fault_pulse_failed",
)

EJECTOR_JAMMED = Fault(
    name="ejector_jammed",
    what="the ejector fired, but the sensor behind it saw no part",
    alarm="EJECTOR_JAMMED",
    station="nothing passes; rejecting does not help either, so the line is stopped where that is possible",
    ejector="goes on firing until the belt stands",
    recovers="when the ejector was freed and the line is started again (or, held, confirmed)",
    lets_by=EVERY,
    default=Reaction.HOLD,
    allowed=GATE,
    test="tests/unit/test_fault_watch.py::test_fault_ejector_jammed",
)

BIN_FULL = Fault(
    name="bin_full",
    what="the reject bin is full",
    alarm="BIN_FULL",
    station="nothing passes; rejects would fall beside the bin, so the line is stopped where that is possible",
    ejector="goes on firing until the belt stands",
    recovers="when the bin was emptied and the line is started again (or, held, confirmed)",
    lets_by=EVERY,
    default=Reaction.HOLD,
    allowed=GATE,
    test="tests/integration/test_station_controller.py::test_the_sensors_of_a_controller_reach_the_operator",
)

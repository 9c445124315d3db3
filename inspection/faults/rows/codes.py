"""What can go wrong with the codes on parts and their serial numbers."""

from __future__ import annotations

from inspection.alarms import Reaction
from inspection.faults.row import ANY, Fault
from inspection.faults.rows import says

CODE_UNREADABLE = Fault(
    name="code_unreadable",
    what="parts have no serial number: their codes cannot be read, or the MES named none",
    alarm="CODE_UNREADABLE",
    station="each such part follows `identity.unreadable`: rejected (CODE), or judged and given a counted number; "
    "after 3 in a row somebody is told",
    ejector=says.ONE_PART,
    recovers="with the first part that has a serial number",
    default=Reaction.WARN,
    allowed=ANY,
    test="tests/integration/test_identity_line.py::test_parts_without_a_readable_code_are_rejected_and_somebody_is_told",
)

CODE_DUPLICATE = Fault(
    name="code_duplicate",
    what="a part bears the serial number of another one that has gone on",
    alarm="CODE_DUPLICATE",
    station="that part follows `identity.duplicate`: rejected (CODE), or judged and counted",
    ejector=says.ONE_PART,
    recovers="15 s after the last one",
    default=Reaction.WARN,
    allowed=ANY,
    test="tests/integration/test_identity_line.py::test_a_serial_number_goes_on_once_in_a_lot_also_after_a_restart",
)

CODE_QUESTION = Fault(
    name="code_question",
    what='a part was rejected for its serial number by the policy "ask", and nobody has answered yet',
    alarm="CODE_QUESTION",
    station="goes on judging; the question stays open, also over a restart",
    ejector=says.ONE_PART,
    recovers="when a person has answered each one",
    default=Reaction.WARN,
    allowed=ANY,
    test="tests/integration/test_identity_line.py::test_a_question_stays_open_until_a_person_answers",
)

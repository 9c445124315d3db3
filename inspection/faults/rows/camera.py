"""What can go wrong with the cameras, and what they see of a part."""

from __future__ import annotations

from inspection.alarms import Reaction
from inspection.faults.row import ANY, EVERY, RELAY, UNSAFE, Fault
from inspection.faults.rows import says

CAMERA_GONE = Fault(
    name="camera_gone",
    what="the camera has gone: cable, power, driver",
    alarm="CAMERA_LOST",
    station="parts without a frame are rejected (NO_IMAGE), nothing passes, the camera is opened again and again; "
    "parts that come unseen are stopped with the belt: the heartbeat is withdrawn",
    ejector=says.SILENT,
    recovers="by itself when the camera can be opened; part numbers go on and none comes twice",
    lets_by=RELAY,
    default=Reaction.REJECT_ALL,
    allowed=UNSAFE,
    test="tests/integration/test_fault_parts.py::test_fault_camera_gone",
)

CAMERA_CHANGED = Fault(
    name="camera_changed",
    what="a camera no longer has the recipe's settings: another program or the device itself changed them",
    alarm="CAMERA_CHANGED",
    station="looks every 30 s; nothing passes, and the alarm names the first part that may have been seen with other "
    "settings; once the line stands the settings are written again",
    ejector=says.REJECTS,
    recovers="when the line was stopped and started, or the settings are as they were; parts of the 30 s before may "
    "have passed and are to be checked again",
    lets_by=EVERY,
    default=Reaction.REJECT_ALL,
    allowed=UNSAFE,
    test="tests/integration/test_camera_changed.py::test_settings_changed_behind_the_station_let_nothing_pass",
)

CAMERA_LINK_POOR = Fault(
    name="camera_link_poor",
    what="packets of a camera's pictures are missing again and again: cable, switch, packet size, too small a buffer",
    alarm="CAMERA_LINK_POOR",
    station="pictures that do not come whole reject their parts (NO_IMAGE); somebody is told before that is the rule",
    ejector=says.ONE_PART,
    recovers="when no packet was missing for 10 s",
    default=Reaction.WARN,
    allowed=ANY,
    test="tests/integration/test_camera_bad_days.py::test_packets_that_are_lost_reject_their_parts_and_somebody_is_told",
)

VIEW_MISSING = Fault(
    name="view_missing",
    what="one of several cameras gave no picture of a part, or none that is surely of it",
    alarm="MISSING_VIEW",
    station="that part is rejected (MISSING_VIEW), whatever the other views say",
    ejector=says.ONE_PART,
    recovers="with the next picture; the alarm goes 15 s after the last one",
    default=Reaction.WARN,
    allowed=ANY,
    test="tests/integration/test_station_views.py::test_the_views_of_a_part_are_its_own_and_a_missing_one_rejects",
)

FRAME_LOST = Fault(
    name="frame_lost",
    what="the frame of a part never arrives: a gap in the camera's counter",
    alarm="NO_IMAGE",
    station="that part is rejected (NO_IMAGE); the parts after it keep their own frames and verdicts",
    ejector=says.ONE_PART,
    recovers="with the next frame; the alarm goes 15 s after the last one",
    default=Reaction.WARN,
    allowed=ANY,
    test="tests/integration/test_fault_parts.py::test_fault_frame_lost",
)

FRAME_UNUSABLE = Fault(
    name="frame_unusable",
    what="a frame is incomplete, of the wrong size or does not reach the region of interest",
    alarm="FRAME_UNUSABLE",
    station="that part is rejected (SYSTEM) and its record says why; an incomplete buffer never becomes a frame",
    ejector=says.ONE_PART,
    recovers="with the next sound frame; the alarm goes 15 s after the last one",
    default=Reaction.WARN,
    allowed=ANY,
    test="tests/integration/test_fault_parts.py::test_fault_frame_unusable",
)

IMAGE_QUALITY = Fault(
    name="image_quality",
    what="pictures cannot be judged: blurred, too dark or bright, the part misplaced, dirt on the lens, a moved light",
    alarm="IMAGE_QUALITY",
    station="each such part is rejected (IMAGE_QUALITY) with its figures in the record; after some in a row "
    "(`in_a_row`) somebody is told what is wrong",
    ejector=says.ONE_PART,
    recovers="with the first picture inside the limits",
    default=Reaction.WARN,
    allowed=ANY,
    test="tests/integration/test_fault_picture.py::test_fault_image_quality",
)

IMAGE_DRIFT = Fault(
    name="image_drift",
    what="the pictures get worse: the running median of a figure nears its limit",
    alarm="IMAGE_DRIFT",
    station="goes on judging; says what to look at before parts are rejected for it",
    ejector=says.NOTHING,
    recovers="when the median has gone back by a fifth of the way that raised it",
    default=Reaction.WARN,
    allowed=ANY,
    test="tests/integration/test_fault_picture.py::test_fault_image_drift",
)

PART_NOT_LOCATED = Fault(
    name="part_not_located",
    what="parts are not found where they may lie: turned or shifted too far, of another kind, or the camera has moved",
    alarm="PART_NOT_LOCATED",
    station="each such part is rejected (IMAGE_QUALITY); after 3 in a row somebody is told",
    ejector=says.ONE_PART,
    recovers="with the first part that is found",
    default=Reaction.WARN,
    allowed=ANY,
    test="tests/integration/test_station_align.py::test_parts_that_are_never_found_are_all_rejected",
)

BELT_UNKNOWN = Fault(
    name="belt_unknown",
    what="a free-running camera has not learned the empty belt, so it cannot tell parts from it",
    alarm="BELT_UNKNOWN",
    station="nothing passes and the heartbeat waits; the line runs, so that the belt can be learned",
    ejector=says.SILENT,
    recovers="by itself when the empty belt is learned",
    test="tests/integration/test_station_free_run.py::test_each_part_in_the_stream_is_one_record_and_touching_ones_are_rejected",
)

PARTS_UNSEEN = Fault(
    name="parts_unseen",
    what="pictures of a free-running camera were missing, or the belt was too fast: parts may have gone by unseen",
    alarm="PARTS_UNSEEN",
    station="nothing passes for 15 s; what is in view is a new part whose verdict is not trusted",
    ejector=says.SILENT,
    recovers="15 s after the last gap",
    lets_by=RELAY,
    default=Reaction.REJECT_ALL,
    allowed=UNSAFE,
    test="tests/integration/test_station_free_run.py::test_a_gap_in_the_stream_lets_nothing_pass",
)

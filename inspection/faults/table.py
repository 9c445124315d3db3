"""The table of faults: a row for each thing that can go wrong on a line, from the camera to the operator's page."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from inspection.alarms import Reaction
from inspection.faults.row import ANY, GATE, UNSAFE, Fault, NotCaused, Wiring

_BARE, _WATCHDOG, _POSITIVE, _CONTROLLER = Wiring

_REJECTS: Mapping[Wiring, str] = MappingProxyType(
    {
        _BARE: "fires the reject of every part that was armed at its trigger",
        _WATCHDOG: "fires the reject of every part; the heartbeat goes on",
        _POSITIVE: "no release pulse comes: the gate diverts every part",
        _CONTROLLER: "gets no PASS in time and rejects every tag",
    }
)
_SILENT: Mapping[Wiring, str] = MappingProxyType(
    {
        _BARE: "nothing: parts that were not armed pass (`config check` says so)",
        _WATCHDOG: "the heartbeat stops and the watchdog relay or the PLC stops the belt",
        _POSITIVE: "the gate diverts every part",
        _CONTROLLER: "rejects every tag by itself",
    }
)
_NOTHING = "nothing changes: the other parts are released and rejected as ever"
_ONE_PART = "fires the reject of this part; the others are released and rejected as ever"
_PROCESS = "tests/integration/test_fault_process.py::"
_AROUND = "tests/integration/test_fault_surroundings.py::"
_PARTS = "tests/integration/test_fault_parts.py::"
_START = "tests/integration/test_fault_start.py::"
_SESSION = "tests/unit/test_models_session.py::"
_WATCH = "tests/unit/test_fault_watch.py::"
_DRIVER = "tests/integration/test_controller_driver.py::"
_CONTROLLED = "tests/integration/test_station_controller.py::"
_CORE = "tests/unit/test_controller_core.py::"
_PLC = "tests/integration/test_plc_station.py::"
_CHALLENGE = "tests/integration/test_challenge_line.py::"
_VIEWS = "tests/integration/test_station_views.py::"
_FREE_RUN = "tests/integration/test_station_free_run.py::"

_SEEING = (
    Fault(
        name="camera_gone",
        what="the camera has gone: cable, power, driver",
        alarm="CAMERA_LOST",
        station="parts without a frame are rejected (NO_IMAGE), nothing passes, the camera is opened again and again; "
        "parts that come unseen are stopped with the belt: the heartbeat is withdrawn",
        ejector=_SILENT,
        recovers="by itself when the camera can be opened; part numbers go on and none comes twice",
        default=Reaction.REJECT_ALL,
        allowed=UNSAFE,
        test=_PARTS + "test_fault_camera_gone",
    ),
    Fault(
        name="view_missing",
        what="one of several cameras gave no picture of a part, or none that is surely of it",
        alarm="MISSING_VIEW",
        station="that part is rejected (MISSING_VIEW), whatever the other views say",
        ejector=_ONE_PART,
        recovers="with the next picture; the alarm goes 15 s after the last one",
        default=Reaction.WARN,
        allowed=ANY,
        test=_VIEWS + "test_the_views_of_a_part_are_its_own_and_a_missing_one_rejects",
    ),
    Fault(
        name="frame_lost",
        what="the frame of a part never arrives: a gap in the camera's counter",
        alarm="NO_IMAGE",
        station="that part is rejected (NO_IMAGE); the parts after it keep their own frames and verdicts",
        ejector=_ONE_PART,
        recovers="with the next frame; the alarm goes 15 s after the last one",
        default=Reaction.WARN,
        allowed=ANY,
        test=_PARTS + "test_fault_frame_lost",
    ),
    Fault(
        name="frame_unusable",
        what="a frame is incomplete, of the wrong size or does not reach the region of interest",
        alarm="FRAME_UNUSABLE",
        station="that part is rejected (SYSTEM) and its record says why; an incomplete buffer never becomes a frame",
        ejector=_ONE_PART,
        recovers="with the next sound frame; the alarm goes 15 s after the last one",
        default=Reaction.WARN,
        allowed=ANY,
        test=_PARTS + "test_fault_frame_unusable",
    ),
    Fault(
        name="parts_too_close",
        what="a part comes closer to the one before it than a reject pulse is long",
        alarm="PARTS_TOO_CLOSE",
        station="judges both; their pulses merge, so a good part may go with a bad neighbour",
        ejector="holds the pulse on until the later of the two has ended",
        recovers="15 s after the last such pair",
        default=Reaction.WARN,
        allowed=ANY,
        test=_PROCESS + "test_fault_parts_too_close",
    ),
)

_JUDGING = (
    Fault(
        name="model_refused",
        what="the model's files are broken, or its golden vectors miss the card's tolerance",
        station="does not start: one sentence with the reason, exit status 1; no port is opened, no part is released",
        ejector=_SILENT,
        recovers="when a sound bundle is in its place and the station is started again",
        test=_START + "test_fault_model_refused",
    ),
    Fault(
        name="model_failed",
        what="the model fails while the line runs",
        alarm="MODEL_FAILED",
        station="the parts in hand and every later one are rejected (SYSTEM or LATE); nothing passes",
        ejector=_REJECTS,
        recovers="start the station again: a model that failed once is not trusted again by itself",
        default=Reaction.REJECT_ALL,
        allowed=UNSAFE,
        test=_PARTS + "test_fault_model_failed",
    ),
    Fault(
        name="provider_lost",
        what="the GPU or another execution provider is lost, or is not the one asked for",
        alarm="MODEL_FAILED",
        station="lost while running: as model_failed, there is no silent fall-back; not there at the start: as "
        "model_refused",
        ejector=_REJECTS,
        recovers="start the station again when the device is back",
        goes_with="model_failed",
        test=NotCaused("there is no accelerator to take away", _SESSION + "test_provider_that_is_not_there_is_refused"),
    ),
    Fault(
        name="inference_stalled",
        what="one batch takes longer than 2 s, or an inference thread has ended",
        alarm="INFERENCE_STALLED",
        station="nothing passes; parts that wait are rejected (LATE) at their deadline",
        ejector=_REJECTS,
        recovers="by itself when the batch ends",
        default=Reaction.REJECT_ALL,
        allowed=UNSAFE,
        test=_PARTS + "test_fault_inference_stalled",
    ),
    Fault(
        name="late_verdicts",
        what="three verdicts in a row come too late",
        alarm="LATE_VERDICTS",
        station="each such part is rejected (LATE); the others are judged as ever",
        ejector=_ONE_PART,
        recovers="15 s after the last late one",
        default=Reaction.WARN,
        allowed=ANY,
        test=_PARTS + "test_fault_queue_full",
    ),
    Fault(
        name="queue_full",
        what="more parts wait for the model than the queue holds",
        alarm="LATE_VERDICTS",
        station="the part that finds no room is rejected (LATE) and counted (`queue_refused`)",
        ejector=_ONE_PART,
        recovers="when there is room again",
        goes_with="late_verdicts",
        test=_PARTS + "test_fault_queue_full",
    ),
    Fault(
        name="rejects_in_a_row",
        what="as many parts in a row as `rejects_in_a_row_limit` were not OK: the process, the light or the camera has "
        "changed",
        alarm="REJECTS_IN_A_ROW",
        station="goes on judging",
        ejector=_NOTHING,
        recovers="with the first part that is OK again",
        default=Reaction.WARN,
        allowed=ANY,
        test=_PARTS + "test_fault_rejects_in_a_row",
    ),
)

_REJECTING = (
    Fault(
        name="ejector_port_gone",
        what="the ejector's cable is pulled, or the port takes nothing any more",
        alarm="EJECTOR_LOST",
        station="nothing passes; parts whose reject could not be written are recorded as FAILED; the port is opened "
        "again and again, and every channel is switched off first",
        ejector={
            _BARE: "nothing: parts pass until the port is back",
            _WATCHDOG: "no heartbeat reaches it: the watchdog relay or the PLC stops the belt",
            _POSITIVE: "the gate diverts every part",
            _CONTROLLER: "rejects every tag by itself",
        },
        recovers="by itself when the port is back",
        default=Reaction.REJECT_ALL,
        allowed=UNSAFE,
        test=_AROUND + "test_fault_ejector_port_gone",
    ),
    Fault(
        name="ejector_process_died",
        what="the ejector's own process was killed, has ended, or says nothing for 2 s",
        alarm="EJECTOR_LOST",
        station="ends it for good, records what was armed in it as FAILED, starts another; nothing passes meanwhile",
        ejector={**_SILENT, _BARE: "nothing: parts pass until the new process has the port"},
        recovers="by itself, with a new process",
        goes_with="ejector_port_gone",
        test=_PROCESS + "test_fault_ejector_process_died",
    ),
    Fault(
        name="controller_reset",
        what="a device-timed controller was reset and has forgotten its parts",
        alarm="CONTROLLER_RESET",
        station="nothing passes until it counts again; the parts that it forgot are recorded as FAILED",
        ejector="parts of before the reset have no tag any more; the dead-man output is safe until the host is back",
        recovers="by itself when the controller's triggers are matched again",
        default=Reaction.REJECT_ALL,
        allowed=UNSAFE,
        test=_DRIVER + "test_a_reset_of_the_controller_is_noticed",
    ),
    Fault(
        name="pulse_outside_window",
        what="a pulse was written further from its moment than `window_ms`",
        alarm="WRONG_PULSE",
        station="records the part as FIRED_LATE and counts the pulse as wrong",
        ejector="the pulse may hit a neighbour; it can not be taken back",
        recovers="15 s after the last one",
        default=Reaction.WARN,
        allowed=ANY,
        test=_PROCESS + "test_fault_pulse_outside_window",
    ),
    Fault(
        name="pulse_too_long",
        what="the end of a pulse was written later than other parts can be told of beforehand",
        alarm="PULSE_TOO_LONG",
        station="counts the pulse as too long; parts behind its own may be in the bin, recorded as PASS",
        ejector="switches off as soon as it can",
        recovers="15 s after the last one",
        default=Reaction.WARN,
        allowed=ANY,
        test="tests/unit/test_ejector_long_pulses.py::test_a_pulse_that_ends_late_is_counted",
    ),
    Fault(
        name="pulse_failed",
        what="a reject could not be written, or came so late that its part had gone",
        alarm="EJECTOR_PULSE_FAILED",
        station="records the part as FAILED: it has to be taken off by hand",
        ejector="does not fire for that part: a late pulse would hit another one",
        recovers="15 s after the last one",
        default=Reaction.WARN,
        allowed=ANY,
        test=_PROCESS + "test_fault_pulse_failed",
    ),
    Fault(
        name="ejector_jammed",
        what="the ejector fired, but the sensor behind it saw no part",
        alarm="EJECTOR_JAMMED",
        station="nothing passes; rejecting does not help either, so the line is stopped where that is possible",
        ejector="goes on firing until the belt stands",
        recovers="when the ejector was freed and the line is started again (or, held, confirmed)",
        default=Reaction.STOP_LINE,
        allowed=GATE,
        test=_WATCH + "test_fault_ejector_jammed",
    ),
    Fault(
        name="bin_full",
        what="the reject bin is full",
        alarm="BIN_FULL",
        station="nothing passes; rejects would fall beside the bin, so the line is stopped where that is possible",
        ejector="goes on firing until the belt stands",
        recovers="when the bin was emptied and the line is started again (or, held, confirmed)",
        default=Reaction.STOP_LINE,
        allowed=GATE,
        test=_CONTROLLED + "test_the_sensors_of_a_controller_reach_the_operator",
    ),
    Fault(
        name="unknown_part",
        what="a part is at the ejector that never crossed the photo-eye",
        alarm="UNKNOWN_PART",
        station="nothing passes until somebody has looked: a part was put on by hand, or the photo-eye misses parts",
        ejector="nothing was armed for it: it passes, except where the gate diverts what no pulse releases",
        recovers="when somebody confirms it",
        default=Reaction.HOLD,
        allowed=UNSAFE,
        test=_CONTROLLED + "test_the_sensors_of_a_controller_reach_the_operator",
    ),
)

_AROUND_IT = (
    Fault(
        name="challenge_due",
        what="the recipe wants a passed challenge before production, and none is valid",
        alarm="CHALLENGE_DUE",
        station="nothing passes; the line runs all the same, so that a challenge can be passed",
        ejector=_REJECTS,
        recovers="when a challenge has been passed",
        test=_CHALLENGE + "test_production_waits_for_a_passed_challenge",
    ),
    Fault(
        name="belt_unknown",
        what="a free-running camera has not learned the empty belt, so it cannot tell parts from it",
        alarm="BELT_UNKNOWN",
        station="nothing passes and the heartbeat waits; the line runs, so that the belt can be learned",
        ejector=_SILENT,
        recovers="by itself when the empty belt is learned",
        test=_FREE_RUN + "test_each_part_in_the_stream_is_one_record_and_touching_ones_are_rejected",
    ),
    Fault(
        name="parts_unseen",
        what="pictures of a free-running camera were missing, or the belt was too fast: parts may have gone by unseen",
        alarm="PARTS_UNSEEN",
        station="nothing passes for 15 s; what is in view is a new part whose verdict is not trusted",
        ejector=_SILENT,
        recovers="15 s after the last gap",
        default=Reaction.REJECT_ALL,
        allowed=UNSAFE,
        test=_FREE_RUN + "test_a_gap_in_the_stream_lets_nothing_pass",
    ),
    Fault(
        name="controller_fault",
        what="a device-timed controller reports a fault of its own: a late pulse, a full memory, a stray ejection",
        alarm="CONTROLLER_FAULT",
        station="nothing passes for 15 s",
        ejector="rejects every tag by itself",
        recovers="15 s after the last report",
        default=Reaction.REJECT_ALL,
        allowed=UNSAFE,
        test=NotCaused(
            "the tests of the controller's core cause each of them", _CORE + "test_a_full_fifo_is_held_shut"
        ),
    ),
    Fault(
        name="plc_quiet",
        what="the PLC's heartbeat does not change any more, and [plc].silence says that production goes on",
        alarm="PLC_QUIET",
        station="goes on; no result is shown to the PLC as valid",
        ejector=_NOTHING,
        recovers="by itself when its heartbeat changes again",
        test=_PLC + "test_a_silent_plc_may_be_a_warning",
    ),
    Fault(
        name="encoder_silent",
        what="the encoder sends nothing although parts arrive",
        alarm="ENCODER_SILENT",
        station="nothing passes: nobody knows where the parts are; the heartbeat is withdrawn",
        ejector=_SILENT,
        recovers="by itself when the encoder counts again",
        default=Reaction.REJECT_ALL,
        allowed=UNSAFE,
        test=_WATCH + "test_fault_encoder_silent",
    ),
    Fault(
        name="belt_stopped",
        what="the belt stands",
        alarm="BELT_STOPPED",
        station="waits: the parts on it keep their places, and their moments move with the belt",
        ejector="fires when the part gets there, not before",
        recovers="by itself when the belt runs",
        test=_WATCH + "test_fault_belt_stopped",
    ),
    Fault(
        name="plc_silent",
        what="the PLC's heartbeat does not change any more",
        alarm="PLC_SILENT",
        station="nothing passes, and no result is shown to it as valid",
        ejector=_REJECTS,
        recovers="by itself when its heartbeat changes again",
        default=Reaction.REJECT_ALL,
        allowed=UNSAFE,
        test=_PLC + "test_a_silent_plc_blocks_the_station_until_it_is_back",
    ),
    Fault(
        name="records_trouble",
        what="records cannot be written: the disk is full, unplugged or read-only",
        alarm="RECORDS_TROUBLE",
        station="nothing passes; results wait in memory, parts in flight stay in a journal that needs no room",
        ejector=_REJECTS,
        recovers="by itself when the disk takes them: every part gets its record",
        default=Reaction.REJECT_ALL,
        allowed=UNSAFE,
        test=_AROUND + "test_fault_records_trouble",
    ),
    Fault(
        name="disk_low",
        what="the disk has less room than `records.min_free_mb`",
        alarm="DISK_LOW",
        station="keeps no more images, so that the room is left for records",
        ejector=_NOTHING,
        recovers="by itself when there is room again",
        default=Reaction.WARN,
        allowed=ANY,
        test=_AROUND + "test_fault_records_trouble",
    ),
    Fault(
        name="images_given_up",
        what="images cannot be kept: no room, or they come faster than they can be encoded",
        alarm="IMAGES_GIVEN_UP",
        station="records without image; the record says so",
        ejector=_NOTHING,
        recovers="by itself",
        default=Reaction.WARN,
        allowed=ANY,
        test=_AROUND + "test_fault_records_trouble",
    ),
    Fault(
        name="clock_stepped",
        what="the PC's clock was set by more than half a second",
        alarm="CLOCK_STEPPED",
        station="nothing depends on it: deadlines and pulses follow the monotonic clock, and the times in the records "
        "of a run follow from its start, so they keep their order",
        ejector=_NOTHING,
        recovers="a minute after the last step; the next run has the new time",
        default=Reaction.WARN,
        allowed=ANY,
        test=_AROUND + "test_fault_clock_stepped",
    ),
    Fault(
        name="station_failed",
        what="a thread of the station has failed: a defect of the program",
        alarm="STATION_FAILED",
        station="nothing passes, and the heartbeat is withdrawn",
        ejector=_SILENT,
        recovers="start the station again",
        default=Reaction.REJECT_ALL,
        allowed=UNSAFE,
        test=_PARTS + "test_fault_station_failed",
    ),
    Fault(
        name="station_killed",
        what="the station's process is killed",
        station="nothing any more; at its next start each part that was in flight gets its record: rejected (SYSTEM)",
        ejector={
            **_SILENT,
            _BARE: "fires every armed reject, switches every channel off and ends; parts that come later pass",
            _WATCHDOG: "fires every armed reject and ends; the heartbeat stops at once: the watchdog stops the belt",
        },
        recovers="start it again (systemd does)",
        test=_PROCESS + "test_fault_station_killed",
    ),
    Fault(
        name="station_frozen",
        what="the station's process or the whole PC stands still",
        station="when it goes on, parts that crossed meanwhile are rejected or recorded as FAILED",
        ejector={
            **_SILENT,
            _BARE: "fires every armed reject; parts that crossed the photo-eye meanwhile pass",
            _WATCHDOG: "fires every armed reject; the heartbeat stops after `alive_timeout_ms`: the belt is stopped",
        },
        recovers="by itself when it goes on",
        test=_PROCESS + "test_fault_station_frozen",
    ),
    Fault(
        name="page_died",
        what="the page's process is killed",
        alarm="PAGE_RESTARTED",
        station="starts it again on the same port; the line never notices",
        ejector=_NOTHING,
        recovers="by itself",
        test=_AROUND + "test_fault_page_died",
    ),
)

FAULTS: tuple[Fault, ...] = _SEEING + _JUDGING + _REJECTING + _AROUND_IT
"""Every row, in the order of a part's way."""

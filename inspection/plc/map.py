"""The Modbus map: every bit and register between station and PLC, and the numbers that they may hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from types import MappingProxyType

from inspection.part import Reason

MAP_VERSION = 1
"""Rises when the meaning of an address changes; additions leave it alone."""

NO_SCORE = 0xFFFF
"""The score register of a part that was not scored."""


class Status(IntFlag):
    """Station to PLC: discrete inputs 0–15, and the same bits in input register 0."""

    ONLINE = 1 << 0
    READY = 1 << 1
    TRIGGER_ACK = 1 << 2
    BUSY = 1 << 3
    INSPECTING = 1 << 4
    MISSED_ACQ = 1 << 5
    INSPECTION_COMPLETED = 1 << 6
    RESULTS_VALID = 1 << 7
    RESULTS_BUFFER_OVERRUN = 1 << 8
    PASS = 1 << 9
    FAIL = 1 << 10
    FAULT = 1 << 11
    COMMAND_EXECUTING = 1 << 12
    COMMAND_COMPLETE = 1 << 13
    COMMAND_FAILED = 1 << 14
    PLC_SILENT = 1 << 15


class Control(IntFlag):
    """PLC to station: coils 0–15, and the same bits in holding register 0; those without a name stay 0."""

    TRIGGER_ENABLE = 1 << 0
    TRIGGER = 1 << 1
    RESULTS_ACK = 1 << 2
    BUFFER_RESULTS_ENABLE = 1 << 3
    EXECUTE_COMMAND = 1 << 4


class InputRegister(IntEnum):
    """Station to PLC: addresses of the input registers, counted from 0."""

    STATUS = 0
    HEARTBEAT = 1
    ACQUISITION_ID = 2
    RESULT_ID = 3
    PART_HIGH = 4
    PART_LOW = 5
    RESULT_CODE = 6
    SCORE_PER_MILLE = 7
    DEFECT_CLASS = 8
    RESULTS_WAITING = 9
    RESULTS_LOST = 10
    TRIGGERS_MISSED = 11
    FAULT_CODE = 12
    BUNDLE_HIGH = 13
    BUNDLE_LOW = 14
    MAP_VERSION = 15


class HoldingRegister(IntEnum):
    """PLC to station: addresses of the holding registers, counted from 0."""

    CONTROL = 0
    COMMAND = 1
    HEARTBEAT = 2


class ResultCode(IntEnum):
    """Why a part has the result that it has; 0 while none is shown."""

    NONE = 0
    PASSED = 1
    MODEL = 2
    NO_IMAGE = 3
    LATE = 4
    IMAGE_QUALITY = 5
    OUT_OF_DISTRIBUTION = 6
    MISSING_VIEW = 7
    OPERATOR = 8
    SYSTEM = 9
    INTERLOCK = 10
    CODE = 11
    OTHER = 99


class Command(IntEnum):
    """What the PLC may ask for through the Command register."""

    START_LINE = 1
    STOP_LINE = 2
    CONFIRM_ALARMS = 3


@dataclass(frozen=True, slots=True)
class Meaning:
    """One line of the documentation: the PLC's name for a bit or register, and what it says."""

    name: str
    text: str


STATUS_MEANINGS: Mapping[Status, Meaning] = MappingProxyType(
    {
        Status.ONLINE: Meaning("Online", "the line runs: every part that triggers is inspected, and parts may pass"),
        Status.READY: Meaning(
            "Ready",
            "Online (or held for a challenge), TriggerEnable is 1, and the Trigger before this one is done with",
        ),
        Status.TRIGGER_ACK: Meaning(
            "TriggerAck", "the picture is being made, and AcquisitionId names its part; 0 again once Trigger is 0"
        ),
        Status.BUSY: Meaning("Busy", "a Trigger is being passed to the camera (Acquiring)"),
        Status.INSPECTING: Meaning("Inspecting", "parts have triggered whose result is not known yet"),
        Status.MISSED_ACQ: Meaning(
            "MissedAcq",
            "a Trigger was not taken: not Ready, or no picture could be made for it; until the next one is taken",
        ),
        Status.INSPECTION_COMPLETED: Meaning("InspectionCompleted", "changes its level with each result"),
        Status.RESULTS_VALID: Meaning(
            "ResultsValid", "the result registers and Pass or Fail hold one part's result; until ResultsAck rises"
        ),
        Status.RESULTS_BUFFER_OVERRUN: Meaning(
            "ResultsBufferOverrun", "results were lost, as none was acknowledged; until ConfirmAll"
        ),
        Status.PASS: Meaning("Pass", "the part shown has passed; never 1 without ResultsValid"),
        Status.FAIL: Meaning("Fail", "the part shown is rejected"),
        Status.FAULT: Meaning("Fault", "nothing passes: reject by yourself, or stop the belt; see FaultCode"),
        Status.COMMAND_EXECUTING: Meaning("CommandExecuting", "the Command is being carried out"),
        Status.COMMAND_COMPLETE: Meaning("CommandComplete", "the Command is done; 0 again once ExecuteCommand is 0"),
        Status.COMMAND_FAILED: Meaning("CommandFailed", "the Command was refused; 0 again once ExecuteCommand is 0"),
        Status.PLC_SILENT: Meaning("PlcSilent", "the PLC's heartbeat does not change: no result is shown"),
    }
)

CONTROL_MEANINGS: Mapping[Control, Meaning] = MappingProxyType(
    {
        Control.TRIGGER_ENABLE: Meaning("TriggerEnable", "the PLC is willing to trigger; without it Ready stays 0"),
        Control.TRIGGER: Meaning(
            "Trigger", "its rise has a picture made, where the camera is triggered by software; a photo-eye needs none"
        ),
        Control.RESULTS_ACK: Meaning(
            "ResultsAck", "its rise says that the result shown was read; the next one is shown once it is 0"
        ),
        Control.BUFFER_RESULTS_ENABLE: Meaning(
            "BufferResultsEnable", "1: results wait until their turn comes; 0: none waits behind the one shown"
        ),
        Control.EXECUTE_COMMAND: Meaning("ExecuteCommand", "its rise carries out the Command register"),
    }
)

INPUT_MEANINGS: Mapping[InputRegister, Meaning] = MappingProxyType(
    {
        InputRegister.STATUS: Meaning("Status", "the sixteen discrete inputs in one word, discrete input 0 lowest"),
        InputRegister.HEARTBEAT: Meaning("StationHeartbeat", "counts up as long as the station is well; else it stops"),
        InputRegister.ACQUISITION_ID: Meaning("AcquisitionId", "low 16 bits of the part that triggered last"),
        InputRegister.RESULT_ID: Meaning("ResultId", "low 16 bits of the part shown: its AcquisitionId; 0 for none"),
        InputRegister.PART_HIGH: Meaning("PartNumber, high word", "the part shown, as in the records; 0 for none"),
        InputRegister.PART_LOW: Meaning("PartNumber, low word", "the lower half of it"),
        InputRegister.RESULT_CODE: Meaning("ResultCode", "why, by the table below; 0 while no result is shown"),
        InputRegister.SCORE_PER_MILLE: Meaning("Score", f"defect probability in ‰ (0–1000); {NO_SCORE}: not scored"),
        InputRegister.DEFECT_CLASS: Meaning(
            "DefectClass", "most likely defect: its place in the model's classes from 1; 0: none"
        ),
        InputRegister.RESULTS_WAITING: Meaning(
            "ResultsWaiting", "results not acknowledged yet, the one shown included"
        ),
        InputRegister.RESULTS_LOST: Meaning("ResultsLost", "results lost since the start, counted from 65535 on to 0"),
        InputRegister.TRIGGERS_MISSED: Meaning(
            "TriggersMissed", "Triggers not taken since the start, counted likewise"
        ),
        InputRegister.FAULT_CODE: Meaning("FaultCode", "the gravest message, by the table below; 0: none"),
        InputRegister.BUNDLE_HIGH: Meaning("BundleId, high word", "the first 8 digits of the model bundle's digest"),
        InputRegister.BUNDLE_LOW: Meaning("BundleId, low word", "the lower half of it"),
        InputRegister.MAP_VERSION: Meaning("MapVersion", f"{MAP_VERSION}: the version of this map"),
    }
)

HOLDING_MEANINGS: Mapping[HoldingRegister, Meaning] = MappingProxyType(
    {
        HoldingRegister.CONTROL: Meaning("Control", "the sixteen coils in one word, coil 0 lowest"),
        HoldingRegister.COMMAND: Meaning("Command", "what ExecuteCommand carries out, by the table below"),
        HoldingRegister.HEARTBEAT: Meaning("PlcHeartbeat", "any value, as long as it changes within plc_timeout_ms"),
    }
)

RESULT_MEANINGS: Mapping[ResultCode, str] = MappingProxyType(
    {
        ResultCode.NONE: "no result is shown",
        ResultCode.PASSED: "passed",
        ResultCode.MODEL: "rejected: the model found a defect",
        ResultCode.NO_IMAGE: "rejected: no picture came",
        ResultCode.LATE: "rejected: the verdict, or its turn to be shown, came too late",
        ResultCode.IMAGE_QUALITY: "rejected: the picture cannot be judged",
        ResultCode.OUT_OF_DISTRIBUTION: "rejected: the model never saw such a part",
        ResultCode.MISSING_VIEW: "rejected: a view of the part is missing",
        ResultCode.OPERATOR: "rejected by the operator",
        ResultCode.SYSTEM: "rejected: the station was in fault",
        ResultCode.INTERLOCK: "rejected: the line was held, as a challenge was due or ran",
        ResultCode.CODE: "rejected: its code cannot be read, or another part bears the same serial number",
        ResultCode.OTHER: "rejected for a reason that this map does not know",
    }
)

COMMAND_MEANINGS: Mapping[Command, str] = MappingProxyType(
    {
        Command.START_LINE: "start inspecting; fails while the station is in fault",
        Command.STOP_LINE: "stop inspecting, after the parts in flight",
        Command.CONFIRM_ALARMS: "take back the messages about single parts, MissedAcq and ResultsBufferOverrun",
    }
)

STATION_SILENT = 1
"""FaultCode when the station's own supervision gives no sign of life."""

OTHER_ALARM = 999
"""FaultCode of an alarm that has no number of its own."""

FAULT_CODES: Mapping[str, int] = MappingProxyType(
    {
        "CAMERA_LOST": 10,
        "EJECTOR_LOST": 11,
        "MODEL_FAILED": 12,
        "INFERENCE_STALLED": 13,
        "MODEL_REMOTE_LOST": 63,
        "RECORDS_TROUBLE": 14,
        "STATION_FAILED": 15,
        "PLC_SILENT": 16,
        "PLC_QUIET": 17,
        "BELT_UNKNOWN": 22,
        "PARTS_UNSEEN": 23,
        "CHALLENGE_DUE": 18,
        "CHALLENGE_RUNNING": 19,
        "CHALLENGE_FAILED": 20,
        "CHALLENGE_SOON": 21,
        "EJECTOR_JAMMED": 24,
        "BIN_FULL": 25,
        "UNKNOWN_PART": 26,
        "CONTROLLER_RESET": 27,
        "CONTROLLER_FAULT": 28,
        "ENCODER_SILENT": 29,
        "EJECTOR_PULSE_FAILED": 30,
        "WRONG_PULSE": 31,
        "LATE_VERDICTS": 32,
        "NO_IMAGE": 33,
        "FRAME_UNUSABLE": 34,
        "PARTS_TOO_CLOSE": 35,
        "IMAGES_GIVEN_UP": 36,
        "DISK_LOW": 37,
        "MISSING_VIEW": 40,
        "REJECTS_IN_A_ROW": 38,
        "CLOCK_STEPPED": 39,
        "CAMERA_LINK_POOR": 50,
        "CAMERA_CHANGED": 60,
        "PART_NOT_LOCATED": 61,
        "UNKNOWN_LOOK": 62,
        "CODE_UNREADABLE": 64,
        "CODE_DUPLICATE": 65,
        "CODE_QUESTION": 66,
        "CERTIFICATE_EXPIRES": 70,
        "RECIPE_LOST": 71,
        "LOT_INTERRUPTED": 72,
        "RECORDS_UNSIGNED": 73,
        "ACCESS_UNREADABLE": 74,
        "RECORDS_NOT_FORWARDED": 80,
        "IMAGES_NOT_FORWARDED": 81,
    }
)
"""A number each for the alarms above INFO; a number is never given twice, nor changed."""

_REASON_CODES = {reason: ResultCode[reason.name] for reason in Reason if reason.name in ResultCode.__members__}


def result_code(reason: Reason) -> ResultCode:
    """Return the number of a reject's reason; OTHER for a reason that the table lacks."""
    return ResultCode.OTHER if reason is Reason.NONE else _REASON_CODES.get(reason, ResultCode.OTHER)

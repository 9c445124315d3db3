"""The table of faults: every row, in the order of a part's way from the camera to the operator's page."""

from __future__ import annotations

from inspection.faults.row import Fault
from inspection.faults.rows import belt, camera, challenge, controller, ejector, model, plc, process, records

FAULTS: tuple[Fault, ...] = (
    camera.CAMERA_GONE,
    camera.CAMERA_CHANGED,
    camera.CAMERA_LINK_POOR,
    camera.VIEW_MISSING,
    camera.FRAME_LOST,
    camera.FRAME_UNUSABLE,
    camera.IMAGE_QUALITY,
    camera.IMAGE_DRIFT,
    camera.PART_NOT_LOCATED,
    belt.PARTS_TOO_CLOSE,
    model.MODEL_REFUSED,
    model.MODEL_FAILED,
    model.MODEL_REMOTE_LOST,
    model.PROVIDER_LOST,
    model.INFERENCE_STALLED,
    model.LATE_VERDICTS,
    model.QUEUE_FULL,
    model.REJECTS_IN_A_ROW,
    model.UNKNOWN_LOOK,
    ejector.EJECTOR_PORT_GONE,
    ejector.EJECTOR_PROCESS_DIED,
    controller.CONTROLLER_RESET,
    ejector.PULSE_OUTSIDE_WINDOW,
    ejector.PULSE_TOO_LONG,
    ejector.PULSE_FAILED,
    ejector.EJECTOR_JAMMED,
    ejector.BIN_FULL,
    controller.UNKNOWN_PART,
    challenge.CHALLENGE_DUE,
    camera.BELT_UNKNOWN,
    camera.PARTS_UNSEEN,
    controller.CONTROLLER_FAULT,
    plc.PLC_QUIET,
    belt.ENCODER_SILENT,
    belt.BELT_STOPPED,
    plc.PLC_SILENT,
    records.RECORDS_TROUBLE,
    records.DISK_LOW,
    records.IMAGES_GIVEN_UP,
    process.CLOCK_STEPPED,
    process.STATION_FAILED,
    process.STATION_KILLED,
    process.STATION_FROZEN,
    process.PAGE_DIED,
)
"""Each thing that can go wrong; the files in `rows` say what happens then."""

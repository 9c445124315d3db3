"""What the station, its cameras and its alarms do now, as protobuf messages."""

from __future__ import annotations

from importlib import metadata

from inspection.api import v1 as pb
from inspection.api.messages import EVALUATIONS, REASONS, VERDICTS, recipe_ref_message
from inspection.camera_history import CameraReport, CameraState
from inspection.control import ActiveAlarm, Preview, State, StateChange, StationStatus
from inspection.texts import load_catalogue

CAMERA_STATES = {word: pb.CameraState.Value(f"CAMERA_STATE_{word}") for word in CameraState}
STATES = {word: pb.State.Value(f"STATE_{word}") for word in State}


def status_message(status: StationStatus) -> pb.GetStatusResponse:
    """Return the station's status as clients see it."""
    return pb.GetStatusResponse(
        station=status.station,
        state=STATES[status.state],
        run=status.run,
        alarms=[alarm_message(alarm) for alarm in status.alarms],
        triggers=status.triggers,
        records=status.records,
        passed=status.passed,
        rejected_by_reason=dict(status.rejected_by_reason),
        late=status.late,
        wrong_pulses=status.wrong_pulses,
        parts_per_minute=status.parts_per_minute,
        latency_p50_ms=status.latency_p50_ms,
        latency_p99_ms=status.latency_p99_ms,
        model=status.model,
        bundle_digest=status.bundle_digest,
        threshold=status.threshold,
        provider=status.provider,
        camera=status.camera,
        ejector=status.ejector,
        ejector_connected=status.ejector_connected,
        heartbeat_running=status.heartbeat_running,
        uptime_s=status.uptime_s,
        counters=dict(status.counters),
        version=metadata.version("lineward"),
        cameras=[camera_message(camera) for camera in status.cameras],
        recipe=None if status.recipe is None else recipe_ref_message(status.recipe),
        lot=status.lot,
        last_change=None if status.last_change is None else change_message(status.last_change),
    )


def alarm_message(alarm: ActiveAlarm) -> pb.Alarm:
    """Return an alarm with its words in English."""
    text, remedy = load_catalogue("en").alarm(alarm.name, alarm.values)
    return pb.Alarm(
        name=alarm.name,
        since_wall_ns=alarm.since_wall_ns,
        values=dict(alarm.values),
        blocks=alarm.blocks,
        must_be_confirmed=alarm.must_be_confirmed,
        is_over=alarm.is_over,
        text=text,
        remedy=remedy,
    )


def change_message(change: StateChange) -> pb.StateChange:
    """Return a change of the state as clients see it."""
    return pb.StateChange(
        sequence=change.sequence,
        before=STATES[change.before],
        after=STATES[change.after],
        cause=change.cause.value,
        detail=change.detail,
        wall_ns=change.wall_ns,
    )


def camera_message(camera: CameraReport) -> pb.CameraStatus:
    """Return a camera as clients see it."""
    return pb.CameraStatus(
        name=camera.name,
        backend=camera.backend,
        state=CAMERA_STATES[camera.state],
        cause=camera.cause,
        detail=camera.detail,
        last_exposure_s=camera.last_exposure_s,
        last_recovery_ms=camera.last_recovery_ms,
        counters=dict(camera.counters),
        ptp=camera.ptp,
        clock_drift_ppm=camera.clock_drift_ppm,
    )


def preview_message(preview: Preview) -> pb.WatchPreviewResponse:
    """Return a preview as clients see it."""
    decision = preview.result.decision
    return pb.WatchPreviewResponse(
        jpeg=preview.jpeg,
        width=preview.width,
        height=preview.height,
        part=preview.part,
        verdict=VERDICTS[decision.verdict],
        evaluation=EVALUATIONS[decision.evaluation],
        reason=REASONS[decision.reason],
        score=decision.score,
        defect_class=decision.defect_class,
        sequence=preview.sequence,
    )

"""The domain's words as protobuf messages."""

from __future__ import annotations

from importlib import metadata

from inspection.api.pb import inspection_pb2 as pb
from inspection.camera_history import CameraReport, CameraState
from inspection.control import Preview, State, StationStatus
from inspection.part import Decision, EjectorAction, Evaluation, Reason, Verdict
from inspection.records.record import StoredRecord

VERDICTS = {word: pb.Verdict.Value(f"VERDICT_{word}") for word in Verdict}
EVALUATIONS = {word: pb.Evaluation.Value(f"EVALUATION_{word}") for word in Evaluation}
REASONS = {word: dict(pb.Reason.items()).get(f"REASON_{word}", pb.REASON_UNSPECIFIED) for word in Reason}
ACTIONS = {word: pb.EjectorAction.Value(f"EJECTOR_ACTION_{word}") for word in EjectorAction}
CAMERA_STATES = {word: pb.CameraState.Value(f"CAMERA_STATE_{word}") for word in CameraState}
STATES = {word: pb.State.Value(f"STATE_{word}") for word in State}


def result_message(record: StoredRecord) -> pb.Result:
    """Return a durable record as clients see it."""
    return pb.Result(
        sequence=record.sequence,
        run=record.run,
        part=record.part,
        verdict=VERDICTS[record.verdict],
        evaluation=EVALUATIONS[record.evaluation],
        reason=REASONS[record.reason],
        score=record.score,
        threshold=record.threshold,
        defect_class=record.defect_class,
        raw_scores=record.raw_scores,
        ejector_action=ACTIONS[record.ejector_action],
        by_default=record.by_default,
        lateness_us=record.lateness_us,
        trigger_wall_ns=record.trigger_wall_ns,
        latency_us=record.latency_us,
        bundle_digest=record.bundle_digest,
        has_image=record.has_image,
        record_hash=record.record_hash,
        truth=record.truth,
        missing_views=record.missing_views,
    )


def status_message(status: StationStatus) -> pb.GetStatusResponse:
    """Return the station's status as clients see it."""
    return pb.GetStatusResponse(
        station=status.station,
        state=STATES[status.state],
        run=status.run,
        alarms=[
            pb.Alarm(
                name=alarm.name,
                since_wall_ns=alarm.since_wall_ns,
                values=dict(alarm.values),
                blocks=alarm.blocks,
                must_be_confirmed=alarm.must_be_confirmed,
                is_over=alarm.is_over,
            )
            for alarm in status.alarms
        ],
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
        cameras=[_camera_message(camera) for camera in status.cameras],
    )


def _camera_message(camera: CameraReport) -> pb.CameraStatus:
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


def inspect_message(decision: Decision, bundle_digest: str) -> pb.InspectResponse:
    """Return the judgement of one image as clients see it."""
    return pb.InspectResponse(
        verdict=VERDICTS[decision.verdict],
        evaluation=EVALUATIONS[decision.evaluation],
        reason=REASONS[decision.reason],
        score=decision.score,
        threshold=decision.threshold,
        defect_class=decision.defect_class,
        raw_scores=decision.raw_scores,
        bundle_digest=bundle_digest,
    )

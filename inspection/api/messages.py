"""The domain's words, and what was decided, as protobuf messages."""

from __future__ import annotations

from inspection.admission import JOB_KEY, SIMULATED_KEY
from inspection.api import v1 as pb
from inspection.part import Decision, EjectorAction, Evaluation, Reason, Verdict
from inspection.recipes.content import RecipeRef
from inspection.records.record import StoredRecord

VERDICTS = {word: pb.Verdict.Value(f"VERDICT_{word}") for word in Verdict}
EVALUATIONS = {word: pb.Evaluation.Value(f"EVALUATION_{word}") for word in Evaluation}
REASONS = {word: pb.Reason.Value(f"REASON_{word}") for word in Reason}
ACTIONS = {word: pb.EjectorAction.Value(f"EJECTOR_ACTION_{word}") for word in EjectorAction}


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
        lot=record.lot,
        serial=record.serial,
        job=_job_message(record),
        is_simulated=bool(record.extra.get(SIMULATED_KEY)),
        recipe=record.recipe,
        recipe_hash=record.recipe_hash,
        config_hash=record.config_hash,
        thresholds_hash=record.thresholds_hash,
        camera_settings_hash=record.camera_settings_hash,
        provider=record.provider,
        model=record.model,
        ejector_command=record.ejector_command,
        image_sha256=record.image_sha256,
        stages=_stages_message(record),
        frame_counter=record.frame_counter,
        device_ns=record.device_ns,
        lost_before=record.lost_before,
        pixel_format=record.pixel_format,
    )


def recipe_ref_message(ref: RecipeRef) -> pb.RecipeRef:
    """Return which recipe."""
    return pb.RecipeRef(name=ref.name, version=ref.version, sha256=ref.sha256)


def _stages_message(record: StoredRecord) -> pb.StageTimes:
    return pb.StageTimes(
        trigger_host_ns=record.trigger_host_ns,
        frame_host_ns=record.frame_host_ns,
        batch_host_ns=record.batch_host_ns,
        scored_host_ns=record.scored_host_ns,
        decided_host_ns=record.decided_host_ns,
        due_host_ns=record.due_host_ns,
        deadline_host_ns=record.deadline_host_ns,
        written_host_ns=record.written_host_ns,
        ejector_due_host_ns=record.ejector_due_host_ns,
    )


def _job_message(record: StoredRecord) -> pb.Job | None:
    ids = record.extra.get(JOB_KEY)
    return pb.Job(**{name: str(value) for name, value in ids.items()}) if isinstance(ids, dict) else None


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

"""What the scores of one view come to: its decision, and what its part keeps of how it was scored."""

from __future__ import annotations

from inspection.part import Decision, Evaluation, Reason
from inspection.pipeline.batch_queue import Job
from inspection.pipeline.decide import Judge, not_decidable
from inspection.records.options import InputChoice
from inspection.tracking.part import PartInFlight


def judged(job: Job, part: PartInFlight, view: int, judge: Judge, keep_inputs: InputChoice) -> Decision:
    """Decide on a view of a part by its ended job, on the worker's thread; one that was not scored never passes.

    The part notes how the view was scored, and why it could not be; what the model got is kept by `keep_inputs`.
    """
    seen = part.views[view]
    if job.quality is not None:
        seen.quality = job.quality
    seen.pose = job.pose
    seen.located = job.located
    if job.batch_size:
        seen.batch = (job.batch_size, job.batch_place)
    if job.raw is None:
        if job.failure_reason in (Reason.SYSTEM, Reason.IMAGE_QUALITY):
            part.note = job.failure
        return not_decidable(job.failure_reason)
    decision = judge.decide(job.raw, job.novelty)
    if job.input is not None and _keeps_input(part, decision, keep_inputs):
        seen.input = job.input.copy()
    return decision


def _keeps_input(part: PartInFlight, decision: Decision, choice: InputChoice) -> bool:
    """Return whether to keep what the model got: of a part with several views always, where rejects' are kept."""
    is_suspect = decision.evaluation is not Evaluation.OK or len(part.views) > 1
    return choice == "all" or (choice == "rejected" and is_suspect)

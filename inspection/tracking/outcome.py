"""What becomes of a part: its views held against its neighbours, then its decision against what the ejector did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from inspection.part import Actuation, Decision, EjectorAction, Reason, Verdict
from inspection.pipeline.decide import not_decidable, overruled
from inspection.tracking.fusion import Fusion
from inspection.tracking.neighbours import Neighbours
from inspection.tracking.part import PartInFlight


def decide_part(
    part: PartInFlight, may_pass: Callable[[], bool], why_held: Callable[[], Reason], now: Callable[[], int]
) -> Decision | None:
    """Decide a part that was judged and return how; None where that waits for what becomes of another one.

    Called under the tracker's lock. may_pass, why_held: whether anything may pass now, and why not. now: host ns.
    """
    decision, taken_along = part.judged, False
    assert decision is not None
    if decision.verdict is Verdict.PASS and not part.held and may_pass():
        known = Neighbours.taken_along(part)
        if known is None:
            return None
        taken_along = known
        if taken_along:
            decision = overruled(decision, Reason.SYSTEM)
            part.note = "so close to a rejected part that its pulse takes this one along"
    elif decision.verdict is Verdict.PASS:
        decision = overruled(decision, Reason.SYSTEM if part.held else why_held())
    part.stages.decided_host_ns = now()
    part.decision = decision
    part.told = Verdict.PASS if taken_along else decision.verdict
    return decision


def end_part(part: PartInFlight, actuation: Actuation, fusion: Fusion) -> Actuation:
    """End a part with what the ejector did to it; return that, told as TAKEN_ALONG where another's pulse did it.

    Called under the tracker's lock. fusion: decides about a part that was never judged.
    """
    part.ended = True
    if actuation.action is EjectorAction.RELEASED and part.is_taken_along:
        actuation = replace(actuation, action=EjectorAction.TAKEN_ALONG)
    part.action = actuation.action
    part.decision = _final_decision(part, actuation, fusion)
    return actuation


def _final_decision(part: PartInFlight, actuation: Actuation, fusion: Fusion) -> Decision:
    """Settle the decision with what the ejector did: only a part that was released in time has passed."""
    decision = part.decision
    if actuation.action is EjectorAction.REMOVED:
        return overruled(decision or part.judged or not_decidable(Reason.OPERATOR), Reason.OPERATOR)
    if actuation.by_default:
        if decision is None and part.judged is None:
            decision, part.shown = fusion.fuse(part.views)
        decision = decision or part.judged
        assert decision is not None
        return decision if decision.verdict is Verdict.REJECT else overruled(decision, Reason.LATE)
    if decision is None:
        return not_decidable(Reason.SYSTEM)
    if decision.verdict is Verdict.PASS and actuation.action is not EjectorAction.RELEASED:
        return overruled(decision, Reason.SYSTEM)
    return decision

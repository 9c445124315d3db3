"""What the recipe's policy makes of a decision: a pure function of what is wrong with the serial number."""

from __future__ import annotations

from dataclasses import replace

from inspection.identity.words import Policy, Trouble
from inspection.part import Decision, Evaluation, Reason, Verdict
from inspection.pipeline.decide import overruled


def held_against(decision: Decision, trouble: Trouble | None, policy: Policy) -> Decision:
    """Return the decision about a part, held against what is wrong with its serial number.

    What was rejected stays as it is: the model's finding says more. A good part is rejected for CODE, unless the policy
    only counts: NOT_DECIDABLE where nobody knows which part it is, NOT_OK where it bears the number of another one.
    """
    if trouble is None or policy is Policy.COUNT or decision.verdict is Verdict.REJECT:
        return decision
    evaluation = Evaluation.NOT_OK if trouble is Trouble.DUPLICATE else Evaluation.NOT_DECIDABLE
    return replace(overruled(decision, Reason.CODE), evaluation=evaluation)

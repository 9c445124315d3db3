"""Records as a line makes them: the same ones again for the same numbers."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from inspection.part import Actuation, Decision, EjectorAction, Evaluation, PartResult, Reason, Stages, Verdict

SECOND_NS = 10**9
_REJECTED = 0.02
_CLASSES = ("chip", "dent", "scratch")
_PARTS_A_LOT = 20_000


def parts(run: str, count: int, first: int = 1, per_second: float = 8.0) -> Iterator[PartResult]:
    """Yield the results of parts in the order of their triggers: 2 % rejected, a serial number each, lots of 20,000."""
    chance = Random(first)
    for part in range(first, first + count):
        yield _part(run, part, round(part / per_second * SECOND_NS), chance)


def _part(run: str, part: int, trigger_host_ns: int, chance: Random) -> PartResult:
    rejected = chance.random() < _REJECTED
    score = chance.betavariate(8, 2) if rejected else chance.betavariate(1, 30)
    verdict = Verdict.REJECT if rejected else Verdict.PASS
    decision = Decision(
        Evaluation.NOT_OK if rejected else Evaluation.OK,
        verdict,
        Reason.MODEL if rejected else Reason.NONE,
        score,
        0.5,
        chance.choice(_CLASSES) if rejected else "",
        (1.0 - score, score),
    )
    ns = 1_000_000
    stages = Stages(*(trigger_host_ns + late * ns for late in (0, 4, 6, 14, 15)))
    due_host_ns = trigger_host_ns + SECOND_NS
    action = EjectorAction.FIRED if rejected else EjectorAction.RELEASED
    actuation = Actuation(part, action, False, due_host_ns if rejected else None, 40 if rejected else None, due_host_ns)
    return PartResult(
        run, part, decision, actuation, stages, due_host_ns, due_host_ns - 5 * ns, part, trigger_host_ns, 0, "Mono8",
        lot=f"L-{part // _PARTS_A_LOT:05d}", serial=f"{run}-{part:09d}", told=verdict, batches=((4, part % 4),),
    )  # fmt: skip

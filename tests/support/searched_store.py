"""A store with something for every search, and every search for it."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

from inspection.part import Actuation, Decision, EjectorAction, Evaluation, PartResult, Reason, Stages, Verdict
from inspection.records.challenges import ChallengeEntry
from inspection.records.challenges import EntryKind as ChallengeKind
from inspection.records.entries import Entry, EntryKind
from inspection.records.record import Run
from inspection.records.store import RecordStore, make_row
from inspection.records.tables import REMOVED_IMAGES

RUNS = 3
PARTS = 150
SECOND_NS = 10**9
REASONS = (Reason.MODEL, Reason.LATE, Reason.NO_IMAGE)


def a_part(run: int, part: int, chance: random.Random) -> PartResult:
    score = chance.choice((None, 0.0, 1.0, 0.5, chance.random()))
    passed = chance.random() < 0.8
    verdict = Verdict.PASS if passed else Verdict.REJECT
    reason = Reason.NONE if passed else chance.choice(REASONS)
    evaluation = Evaluation.OK if passed else chance.choice((Evaluation.NOT_OK, Evaluation.NOT_DECIDABLE))
    decision = Decision(evaluation, verdict, reason, score, 0.5, chance.choice(("", "chip", "dent")))
    moment = part * SECOND_NS - chance.choice((0, 0, 0, 3 * SECOND_NS))  # not everything ends in order
    return PartResult(
        f"r{run}",
        part,
        decision,
        Actuation(part, EjectorAction.RELEASED, False, None, None, due_host_ns=part),
        Stages(trigger_host_ns=moment),
        0,
        0,
        lot=chance.choice(("", "L-1", "L-2")),
        serial=f"S{part % 100}" if part % 3 else "",
        told=verdict,
        batches=((4, part % 4),),
    )


def fill_searched(folder: Path) -> None:
    """Three runs, of which the last began long before the second by the clock; half of the records are reviewed."""
    chance = random.Random(7)
    store = RecordStore(folder)
    for run, started in enumerate((0, 100_000, 1_000)):
        begun = store.begin_run(Run(f"r{run}", "s", "m", "", "", started * SECOND_NS, 0, recipe=f"recipe {run}"))
        store.append([make_row(a_part(run, part, chance), begun) for part in range(1, PARTS + 1)])
    for number in range(PARTS * RUNS):
        review = Entry(EntryKind.REVIEW, str(chance.randint(1, PARTS * RUNS)), chance.choice(("kim", "lee")), number)
        store.append_note(review)
    store.append_note(Entry(EntryKind.AUDIT, "1", "kim", 1))
    store.append_challenge(ChallengeEntry(ChallengeKind.BEGUN, "c1", 1, "r0", "", "", "kim", 2))
    with store.transaction() as connection:
        connection.execute(REMOVED_IMAGES.insert(), {"sequence": 9, "verdict": "PASS", "removed_wall_ns": 1})
    store.close()


FILTERS: list[dict[str, Any]] = [
    {"lot": "L-1"},
    {"serial": "S7"},
    {"reason": Reason.LATE},
    {"reason": Reason.NONE},
    {"verdict": Verdict.REJECT},
    {"evaluation": Evaluation.NOT_DECIDABLE},
    {"defect_class": "chip"},
    {"defect_class": "chip", "verdict": Verdict.REJECT},
    {"run": "r1"},
    {"run": "r1", "part": 77},
    {"min_score": 0.25},
    {"max_score": 0.5},
    {"min_score": 0.5, "max_score": 0.5},
    {"min_score": 0.97},
    {"min_score": 1.0},
    {"max_score": 0.0},
    {"since_wall_ns": 100_020 * SECOND_NS, "until_wall_ns": 100_060 * SECOND_NS},
    {"reviewer": "kim"},
    {"lot": ""},
    {"serial": ""},
    {},
]
TOGETHER = [one | other for one, other in itertools.combinations(FILTERS, 2) if not set(one) & set(other)]

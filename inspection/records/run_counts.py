"""How the parts of a run ended, counted from durable records alone."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from inspection.part import Verdict
from inspection.records.tables import RECORDS, RUNS


@dataclass(frozen=True, slots=True)
class Counts:
    """How many parts of a run ended how; from durable records only."""

    records: int
    passed: int
    rejected_by_reason: dict[str, int]
    by_action: dict[str, int]


def count_run(connection: Connection, run: str) -> Counts:
    """Return how the run's parts ended; all zero for a run without records."""
    cells = (RECORDS.c.verdict, RECORDS.c.reason, RECORDS.c.ejector_action)
    run_id = select(RUNS.c.run_id).where(RUNS.c.run == run).scalar_subquery()
    rows = connection.execute(select(*cells, func.count()).where(RECORDS.c.run_id == run_id).group_by(*cells)).all()
    passed, by_reason, by_action = 0, dict[str, int](), dict[str, int]()
    for verdict, reason, action, count in rows:
        by_action[action] = by_action.get(action, 0) + count
        if verdict == Verdict.PASS:
            passed += count
        else:
            by_reason[reason] = by_reason.get(reason, 0) + count
    return Counts(sum(row[-1] for row in rows), passed, by_reason, by_action)

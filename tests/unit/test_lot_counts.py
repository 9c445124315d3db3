"""A lot's counters from the store are those that its records give one by one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection.lots.lot import LotCounters, counters_of
from inspection.part import Actuation, Decision, EjectorAction, Evaluation, PartResult, Reason, Stages, Verdict
from inspection.records.reader import RecordReader
from inspection.records.record import Run
from inspection.records.store import RecordStore, make_row

OUTCOMES = (
    Decision(Evaluation.OK, Verdict.PASS, Reason.NONE),
    Decision(Evaluation.NOT_OK, Verdict.REJECT, Reason.MODEL),
    Decision(Evaluation.NOT_DECIDABLE, Verdict.REJECT, Reason.LATE),
    Decision(Evaluation.OK, Verdict.REJECT, Reason.SYSTEM),
)


def a_part(part: int, lot: str, decision: Decision) -> PartResult:
    actuation = Actuation(part, EjectorAction.RELEASED, False, None, None)
    return PartResult("r", part, decision, actuation, Stages(trigger_host_ns=part * 1000), 0, 0, lot=lot)


@settings(max_examples=25, deadline=None)
@given(parts=st.lists(st.tuples(st.sampled_from(["", "A", "B"]), st.sampled_from(OUTCOMES)), max_size=40))
def test_counted_at_once_or_one_by_one_a_lot_has_the_same_counters(
    tmp_path_factory: pytest.TempPathFactory, parts: list[tuple[str, Decision]]
) -> None:
    """Every verdict and reason, the first and the last part; parts of no lot and of others do not count."""
    folder: Path = tmp_path_factory.mktemp("store")
    store = RecordStore(folder)
    run = store.begin_run(Run("r", "s", "m", "b", "c", 10**18, 0))
    if parts:
        store.append([make_row(a_part(number, lot, decision), run) for number, (lot, decision) in enumerate(parts, 1)])
    store.close()
    reader = RecordReader(folder)
    for lot in ("A", "B", "none"):
        one_by_one = LotCounters().plus(reader.find(lot=lot, limit=100, newest_first=False))
        assert counters_of(reader.count_lot(lot)) == one_by_one
    reader.close()

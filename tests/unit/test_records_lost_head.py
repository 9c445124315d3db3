"""A head file that cannot be read any more is never taken for an empty store."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspection.part import Actuation, Decision, EjectorAction, Evaluation, PartResult, Reason, Stages, Verdict
from inspection.records.chain import HEAD_FILE
from inspection.records.record import Run
from inspection.records.store import RecordStore, make_row
from inspection.records.verify import verify


def _store_parts(folder: Path, run: str, count: int) -> None:
    store = RecordStore(folder)
    begun = store.begin_run(Run(run, "s", "m", "", "", 0, 0))
    for part in range(1, count + 1):
        decision = Decision(Evaluation.OK, Verdict.PASS, Reason.NONE, 0.1, 0.5)
        actuation = Actuation(part, EjectorAction.RELEASED, False, None, None)
        store.append([make_row(PartResult(run, part, decision, actuation, Stages(), 0, 0), begun)])
    store.close()


@pytest.mark.parametrize("content", [b"garbage\n", b"", b"\n" * 256, None], ids=["garbage", "empty", "blank", "gone"])
def test_an_unreadable_head_is_reported_before_and_after_the_next_start(tmp_path: Path, content: bytes | None) -> None:
    """Verification says that removed records cannot be told, and goes on saying so when the head was written anew."""
    _store_parts(tmp_path, "first", 3)
    assert verify(tmp_path).ok
    if content is None:
        (tmp_path / HEAD_FILE).unlink()
    else:
        (tmp_path / HEAD_FILE).write_bytes(content)
    assert not verify(tmp_path).ok
    _store_parts(tmp_path, "second", 2)
    report = verify(tmp_path)
    assert [problem.sequence for problem in report.problems] == [None]
    assert "ended at record 3" in report.problems[0].text


def test_a_new_store_has_nothing_to_report(tmp_path: Path) -> None:
    """An empty store that is opened twice has lost nothing."""
    RecordStore(tmp_path).close()
    RecordStore(tmp_path).close()
    assert verify(tmp_path).ok

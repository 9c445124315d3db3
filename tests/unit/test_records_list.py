"""`lineward records list` for people and for `grep`: a line for each record, whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from inspection.cli.main import app
from inspection.part import Actuation, Decision, EjectorAction, Evaluation, PartResult, Reason, Stages, Verdict
from inspection.records.record import Run
from inspection.records.store import RecordStore, make_row

TYPE = "oxide scale of temperature system"


def test_no_column_is_left_out_where_the_terminal_is_narrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe counts as 80 columns: part number, verdict and score were not to be seen at all."""
    monkeypatch.setenv("COLUMNS", "80")
    store = RecordStore(tmp_path)
    begun = store.begin_run(Run("first", "s", "m", "", "", 0, 0))
    decision = Decision(Evaluation.NOT_DECIDABLE, Verdict.REJECT, Reason.OUT_OF_DISTRIBUTION, 0.1234, 0.5, TYPE)
    actuation = Actuation(4711, EjectorAction.RELEASED, False, None, None)
    store.append([make_row(PartResult("first", 4711, decision, actuation, Stages(), 0, 0), begun)])
    store.close()
    said = CliRunner().invoke(app, ["records", "list", "--dir", str(tmp_path)]).output
    [line] = [line for line in said.splitlines() if TYPE in line]
    assert [cell for cell in ("4711", "REJECT", "OUT_OF_DISTRIBUTION", "0.1234", "RELEASED") if cell not in line] == []

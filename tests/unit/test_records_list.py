"""`lineward records list` for people and for `grep`: a line for each record, whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from searched_store import fill_searched
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


def test_the_filters_of_the_search_and_its_pages(tmp_path: Path) -> None:
    """By lot, reviewer, score and type, page by page, each as the search itself finds it; as a table with the lot."""
    fill_searched(tmp_path)

    def listed(*options: str) -> list[dict[str, Any]]:
        said = CliRunner().invoke(app, ["records", "list", "--dir", str(tmp_path), "--json", *options])
        return json.loads(said.stdout)["records"]

    of_lot = listed("--lot", "L-1", "--limit", "1000")
    assert {one["lot"] for one in of_lot} == {"L-1"}
    pages = listed("--lot", "L-1", "--limit", "5")
    pages += listed("--lot", "L-1", "--limit", "5", "--behind", str(pages[-1]["sequence"]))
    assert pages == of_lot[:10]
    assert all(0.25 <= one["score"] <= 0.5 for one in listed("--min-score", "0.25", "--max-score", "0.5"))
    assert {one["evaluation"] for one in listed("--evaluation", "not_decidable")} == {"NOT_DECIDABLE"}
    assert {one["defect_class"] for one in listed("--defect", "chip", "--verdict", "reject")} == {"chip"}
    assert len(listed("--reviewer", "kim", "--serial", "S7")) + len(listed("--reviewer", "lee", "--serial", "S7")) > 0
    assert "L-1" in CliRunner().invoke(app, ["records", "list", "--dir", str(tmp_path), "--lot", "L-1"]).output

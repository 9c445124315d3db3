"""The benchmark of the records runs, measures what it says, and finds every search by an index."""

from __future__ import annotations

import json
import re
from pathlib import Path

from postgres import postgres
from typer.testing import CliRunner

from inspection.bench.records import run
from inspection.bench.records_search import run as run_searches
from inspection.cli.main import app
from inspection.records.verify import verify


def test_storing_and_copying_are_held_against_bare_loops() -> None:
    """On a server that is named; each figure is there, and the line beside the copy loses nothing."""
    with postgres() as server:
        found = run(rows=1000, rounds=1, postgresql=server.url, say=lambda _: None)
    for one in (found["sqlite"], found["postgresql"]["256_a_commit"], found["postgresql"]["1000_a_commit"]):
        assert 0 < one["to_bare"] < 2
        assert one["bare_core_us"] < one["core_us"]
        assert len(one["to_bare_rounds"]) == 1
    assert found["postgresql"]["beside_the_line"]["copied_meanwhile"] >= 1000


RARE = ("reviewer's rejected", "a thin band of scores", "not decidable, which none is")
RARE += ("passed, but not OK, which none is", "reviewer in an old run")


def test_every_search_goes_by_an_index_and_finds_something(tmp_path: Path) -> None:
    """Also in a store that an earlier call made; the store is a sound one."""
    folder = tmp_path / "records"
    for _ in range(2):
        for line in run_searches(rows=6000, folder=folder, say=lambda _: None):
            assert line["hits"] > 0 or line["search"] in RARE, line
            assert line["calls"] > 0
            assert re.search(r"SCAN (?!records USING)", line["plan"]) is None, line
            assert "USE TEMP B-TREE" not in line["plan"], line
    assert verify(folder).problems == []


def test_the_command_prints_one_object() -> None:
    """For whoever plots it."""
    told = CliRunner().invoke(app, ["bench", "records", "--search", "2000", "--json"])
    assert told.exit_code == 0, told.output
    assert {"search", "hits", "first_ms", "again_ms", "calls", "worst_ms", "plan"} == set(
        json.loads(told.stdout.splitlines()[-1])[0]
    )

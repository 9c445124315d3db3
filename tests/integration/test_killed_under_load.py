"""`kill -9` of a station that works: lots, watchers, images to judge; nothing that anybody saw is lost."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest
from killed_station import kill_again_and_again
from real_run import read_records
from tiny_bundle import write_tiny_bundle

SEED = 20


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.soak)])
def test_killed_under_load_it_comes_back_as_it_was(tmp_path: Path, kills: int) -> None:
    """After each kill: the chain is whole, every record that a watcher saw is there unchanged, the lot that ran waits
    to be resumed with its recipe prepared, and commands that were answered are answered the same.
    """
    story = kill_again_and_again(tmp_path, write_tiny_bundle(tmp_path / "tiny"), kills, SEED)
    records = {record.sequence: record for record in read_records(tmp_path / "records")}
    assert story.watching.seen
    assert {sequence: records[sequence].record_hash for sequence in story.watching.seen} == story.watching.seen
    for lot, triggered in story.lots.items():
        assert sum(record.lot == lot for record in records.values()) == triggered
    recovered = [record for record in records.values() if record.extra.get("recovered")]
    slowest_s, median_s = max(story.restarts_s), statistics.median(story.restarts_s)
    print(
        f"\n{kills} kills ({story.cut_off} under a running lot, {story.stood_idle} without, {story.unanswered} with a "
        f"command unanswered): {len(records)} records, {len(recovered)} of them recovered, {len(story.watching.seen)} "
        f"seen, none lost; restart to the state before: median {median_s:.2f} s, worst {slowest_s:.2f} s (5 s promised)"
    )

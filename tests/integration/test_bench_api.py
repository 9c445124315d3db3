"""The benchmark of the API measures what it says: every kind of call, every watcher, and nobody misses a result."""

from __future__ import annotations

import json
from pathlib import Path

from tiny_bundle import write_tiny_bundle
from typer.testing import CliRunner

from inspection.cli.bench import app


def test_every_figure_of_the_api_comes_from_one_run(tmp_path: Path) -> None:
    """Each kind of call is timed, watchers and the one who sleeps get every result; figures are not judged."""
    bundle = str(write_tiny_bundle(tmp_path / "tiny"))
    options = ["--bundle", bundle, "--rounds", "20", "--seconds", "1", "--watchers", "3", "--json"]
    for part in ("images", "watchers", "line"):  # records have a benchmark and a test of their own
        options += ["--part", part]
    done = CliRunner().invoke(app, ["api", *options])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout.splitlines()[-1])
    for size in ("1_mp", "5_mp"):
        found = result["images"][size]
        for kind in ("pipeline", "echo", "inspect", "shared_memory"):
            assert 0 < found[kind]["p50_ms"] <= found[kind]["p99_ms"]
        assert found["inspect_to_pipeline"]["p50"] > 0
    watched, line = result["watchers"]["3"], result["line"]["3"]
    assert watched["gaps"] == line["gaps"] == 0
    assert watched["results_per_s"] > 0
    assert watched["slept_through"] > 0
    assert line["parts"] > 0
    assert result["line"]["0"]["parts"] > 0


def test_a_part_of_the_benchmark_that_is_none_is_named() -> None:
    """A misspelt part is refused with those that there are."""
    done = CliRunner().invoke(app, ["api", "--part", "watcher"])
    assert done.exit_code == 2
    assert "images, watchers, line, records" in " ".join(done.output.split())

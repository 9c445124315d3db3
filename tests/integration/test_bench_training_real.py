"""`lineward bench training` on real photographs of steel strip: a few of each class, from the folder to the figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from inspection.cli.main import app
from models.bundle import load_bundle

pytestmark = [pytest.mark.training, pytest.mark.realdata, pytest.mark.timeout(600)]


def test_a_few_strips_go_from_the_photos_to_the_figures(
    shared_data: Path, shared_weights: Path, tmp_path: Path
) -> None:
    """Seven classes, one fold trained, released and tested from its bundle; nothing is claimed to be reached."""
    options = ["--data", str(shared_data), "--weights", str(shared_weights), "--out", str(tmp_path / "bench")]
    command = ["bench", "training", *options, "--only", "x_sdd", "--quick", "--threads", "1", "--json"]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout.splitlines()[-1])["sets"]["x_sdd"]
    assert found["state"] == "measured"
    assert len(found["classes"]) == 7
    assert found["reached"] == {"accuracy": None}
    assert found["accuracy"]["of"] == found["images"] >= 7
    assert found["accuracy"]["low"] <= found["accuracy"]["value"] <= found["accuracy"]["high"]
    assert found["accuracy"]["value"] > 2 / 7  # twice what guessing reaches: a floor, no claim
    assert 100 < found["peak_own_mb"] < 4000
    assert load_bundle(tmp_path / "bench" / "x_sdd" / "fold-1" / "bundle").card.classes == tuple(found["classes"])

"""What a person can mend about a file is one sentence, whatever command it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from inspection.cli.main import app
from inspection.records.store import RecordStore


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["records", "export", "{}/nowhere/a.csv", "--dir", "{}/store"], "its folder is not there"),
        (
            ["records", "backup", "{}/backup", "--station", "{}/none.toml", "--dir", "{}/store"],
            "none.toml: is not there",
        ),
        (["support-bundle", "{}/none.toml", "--out", "{}/a.zip"], "none.toml: is not there"),
        (["support-bundle", "{}", "--out", "{}/a.zip"], "is not there — the station's TOML file"),
        (["records", "replay", "--lot", "nope", "--dir", "{}/store"], "no record of the lot 'nope' has its image"),
        (["records", "replay", "--last", "3", "--dir", "{}/store"], "no record has its image"),
        (["support-bundle", "--out", "{}/nowhere/a.zip"], "its folder is not there"),
    ],
)
def test_a_place_that_is_not_there_is_a_sentence(tmp_path: Path, words: list[str], told: str) -> None:
    """The error is one that the command line prints, and nothing is left behind."""
    RecordStore(tmp_path / "store").close()
    error = CliRunner().invoke(app, [word.format(tmp_path) for word in words]).exception
    assert told in str(error)
    assert isinstance(getattr(error, "exit_code", None), int)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]

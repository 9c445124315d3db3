"""`lineward quality`: what was learned goes to its place in the station file, and nothing else in it changes."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from inspection.cli.main import app
from inspection.config import load_config
from inspection.errors import ConfigError
from inspection.quality.file import placed, section_text, write_section

STATION = """\
# a station
[camera]
backend = "simulated"
paced = false
[geometry]
camera_to_ejector_mm = 300.0
belt_speed_mm_s = 500.0   # stays
[ejector]
heartbeat_channel = 2
[simulation]
defect_rate = 0.0
"""
SECOND = """
[[camera]]
name = "side"
backend = "simulated"
position_mm = 20.0
"""
VALUES = {"focus_min": 0.01, "usual": {"focus": 0.02}, "light": [1.0] * 64}


def test_what_is_learned_is_written_and_keeps_the_pictures_inside(tmp_path: Path) -> None:
    """learn --write, then try: none of the pictures is outside; a second run replaces the section."""
    file = tmp_path / "line.toml"
    file.write_text(STATION)
    run = CliRunner().invoke(app, ["quality", "learn", str(file), "--count", "60", "--write", "--json"])
    assert run.exit_code == 0, run.output
    told = json.loads(run.output)
    assert told["pictures"] == 60
    assert told["expected_false_rejects"] == pytest.approx(1 / 31)
    assert load_config(file).quality.focus_min == told["quality"]["focus_min"]
    tried = CliRunner().invoke(app, ["quality", "try", str(file), "--count", "60", "--json"])
    assert json.loads(tried.output) == {"camera": "top", "pictures": 60, "outside": 0, "by_limit": {}}
    again = CliRunner().invoke(app, ["quality", "learn", str(file), "--count", "40", "--write", "--json"])
    assert load_config(file).quality.focus_min == json.loads(again.output)["quality"]["focus_min"]
    text = file.read_text()
    assert text.startswith("# a station\n")
    assert "# stays" in text
    assert text.count("[quality]") == 1


def test_it_is_told_what_is_waited_for(tmp_path: Path) -> None:
    """A line that stands gives no picture for a long time: how many, and how long it waits."""
    file = tmp_path / "line.toml"
    file.write_text(STATION)
    run = CliRunner().invoke(app, ["quality", "learn", str(file), "--count", "40", "--timeout-s", "7"])
    assert run.exit_code == 0, run.output
    assert "up to 40 pictures; it ends when none comes for 7 s" in run.stderr
    assert "up to" not in run.stdout


def test_too_few_pictures_leave_the_file_alone(tmp_path: Path) -> None:
    """Nothing is written, and the text says how many are needed."""
    file = tmp_path / "line.toml"
    file.write_text(STATION)
    run = CliRunner().invoke(app, ["quality", "learn", str(file), "--count", "5", "--write"])
    assert isinstance(run.exception, ConfigError)
    assert file.read_text() == STATION


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1), st.booleans(), st.booleans())
def test_each_camera_gets_its_own(camera: int, first: bool, second: bool) -> None:
    """Below the right [[camera]], replaced where it is there; the other camera's stays."""
    old = section_text({"focus_min": 0.5}, "camera.quality", "before")
    one = STATION.replace("[camera]", '[[camera]]\nname = "top"').split("[geometry]")
    toml = one[0] + (old if first else "") + SECOND + (old if second else "") + "[geometry]" + one[1]
    values = tomllib.loads(placed(toml, section_text(VALUES, "camera.quality", "now"), camera))
    for number, had in enumerate((first, second)):
        expected = VALUES if number == camera else ({"focus_min": 0.5} if had else None)
        assert values["camera"][number].get("quality") == expected
    assert values["camera"][1]["position_mm"] == 20.0
    assert {name: table for name, table in values.items() if name != "camera"} == {
        name: table for name, table in tomllib.loads(toml).items() if name != "camera"
    }


def test_what_cannot_be_replaced_is_refused(tmp_path: Path) -> None:
    """An inline quality = {…} of the camera stays, and the text says what to put in by hand."""
    file = tmp_path / "line.toml"
    file.write_text(STATION.replace("paced = false", "paced = false\nquality = {focus_min = 0.5}"))
    with pytest.raises(ConfigError):
        write_section(file, "top", section_text(VALUES, "camera.quality", "now"))
    assert "focus_min = 0.5" in file.read_text()

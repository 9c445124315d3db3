"""What was tuned finds its place in a station's file, and everything else in it stays as it is."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection.config import load_config
from inspection.config.example import EXAMPLE
from inspection.errors import ConfigError
from inspection.tuning.station_file import camera_in, lines_of, placed, write_options

TWO = """\
[[camera]]   # over the belt
name = "top"
backend = "aravis"
device = "CAM1"
exposure_us = 5000   # as the lamp needs it
# gain = 1.0

[camera.quality]
min_focus = 0.1

[[camera]]
name = "side"
backend = "aravis"
device = "CAM2"
position_mm = 40.0

[model]
bundle = "zoo:parts"

[geometry]
camera_to_ejector_mm = 400.0
belt_speed_mm_s = 300.0

[ejector]
driver = "simulated"
channel = 1
"""


def test_options_are_replaced_or_added_and_comments_stay() -> None:
    """A key that is there keeps its place and its comment, a new one goes to the end of its camera's lines."""
    done = placed(TWO, 0, {"exposure_us": 4200.0, "gain": 3.5, "roi": (0, 0, 640, 480)})
    assert done == TWO.replace(
        "exposure_us = 5000   # as the lamp needs it",
        "exposure_us = 4200.0   # as the lamp needs it\ngain = 3.5\nroi = [0, 0, 640, 480]",
    )
    assert placed(TWO, 1, {"gain": 3.5}) == TWO.replace("position_mm = 40.0", "position_mm = 40.0\ngain = 3.5")


def test_a_file_is_written_and_read_back(tmp_path: Path) -> None:
    """The commented example takes options of its camera; writing the same again changes nothing."""
    file = tmp_path / "station.toml"
    file.write_text(EXAMPLE)
    write_options(file, "top", {"pitch_mm": 75.5})
    assert file.read_text() == EXAMPLE.replace("pitch_mm = 60.0 ", "pitch_mm = 75.5 ")
    assert load_config(file).cameras[0].options["pitch_mm"] == 75.5
    once = file.read_text()
    write_options(file, "top", {"pitch_mm": 75.5})
    assert file.read_text() == once
    assert list(tmp_path.iterdir()) == [file]


def test_what_cannot_be_replaced_leaves_the_file_alone(tmp_path: Path) -> None:
    """An array over several lines, or a camera written inline: the lines are given to be put in by hand."""
    file = tmp_path / "station.toml"
    for camera in (
        '[camera]\nname = "top"\nbackend = "aravis"\nroi = [0, 0,\n  640, 480]\n',
        'camera = {name = "top", backend = "aravis"}\n',
    ):
        text = camera + TWO[TWO.index("[model]") :]
        file.write_text(text)
        with pytest.raises(ConfigError, match="roi = \\[8, 8, 320, 240\\]"):
            write_options(file, "top", {"roi": (8, 8, 320, 240)})
        assert file.read_text() == text


def test_the_camera_is_found_by_name_device_or_being_the_only_one(tmp_path: Path) -> None:
    """A camera that was chosen by its serial number is the one with that device."""
    file = tmp_path / "station.toml"
    file.write_text(TWO.replace("[camera.quality]\nmin_focus = 0.1\n\n", ""))
    assert camera_in(file, "side", "") == "side"
    assert camera_in(file, "CAM1", "CAM1") == "top"
    with pytest.raises(ConfigError, match="none of its cameras"):
        camera_in(file, "CAM3", "CAM3")
    file.write_text(EXAMPLE)
    assert camera_in(file, "CAM3", "CAM3") == "top"


VALUES = st.one_of(
    st.booleans(), st.integers(-1000, 1000), st.floats(0.001, 1e6), st.text("ab\"\\ #'", max_size=6),
    st.lists(st.integers(0, 9), min_size=1, max_size=4),
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["exposure_us", "gain", "roi", "name_of"]), VALUES, min_size=1))
@settings(max_examples=60)
def test_every_value_is_read_back_as_it_was(options: dict[str, object]) -> None:
    """Whatever the value, the file says it, twice over, and its other lines are those of before."""
    meant = tomllib.loads("\n".join(lines_of(options)))
    once = placed(TWO, 0, options)
    assert tomllib.loads(once)["camera"][0] == {**tomllib.loads(TWO)["camera"][0], **meant}
    assert placed(once, 0, options) == once
    assert [line for line in TWO.splitlines() if "exposure" not in line and line not in once.splitlines()] == []

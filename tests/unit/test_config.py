"""The configuration: one file, every problem in one text."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspection.config import config_digest, load_config, parse_config
from inspection.config.example import EXAMPLE
from inspection.errors import ConfigError

MINIMAL = """
[camera]
backend = "simulated"
[geometry]
travel_time_s = 1.0
[ejector]
driver = "simulated"
"""


def test_the_example_is_a_station() -> None:
    """What `config example` prints can be run as it is."""
    config = parse_config(EXAMPLE, "example")
    assert config.geometry.travel_s == 1.0
    assert config.camera.options == {"speed_mm_s": 300.0, "pitch_mm": 60.0}


def test_every_problem_is_listed_together() -> None:
    """Unknown keys with a suggestion, wrong types, values out of bounds and missing tables come in one error."""
    text = """
    [station]
    nmae = "x"
    [camera]
    backend = "simulated"
    speed = 3
    pitch_mm = -1
    [inference]
    max_batch = "many"
    [geometry]
    camera_to_ejector_mm = 10
    """
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "line.toml")
    message = str(caught.value)
    assert message.startswith("line.toml: 6 problems:")
    for fragment in (
        "station.nmae: unknown key; did you mean 'name'?",
        "camera.speed: unknown key",
        "camera.pitch_mm: Input should be greater than 0, not -1",
        "inference.max_batch: ",
        "not 'many'",
        "geometry: give camera_to_ejector_mm and belt_speed_mm_s, or travel_time_s",
        "ejector: missing",
    ):
        assert fragment in message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        ('backend = "gige"', "camera backend 'gige' is unknown; known are conveyor, replay, simulated"),
        ("backend = 3", "camera.backend: "),
        ("", "camera.backend: missing"),
    ],
)
def test_a_camera_that_does_not_exist_is_named(change: str, fragment: str) -> None:
    """The backend is checked by name, and its options by its own model."""
    with pytest.raises(ConfigError) as caught:
        parse_config(MINIMAL.replace('backend = "simulated"', change), "line.toml")
    assert fragment in str(caught.value)


def test_a_camera_that_is_no_table_is_one_problem() -> None:
    """`camera = 5` is told like every other wrong type."""
    with pytest.raises(ConfigError, match="camera: "):
        parse_config('camera = 5\n[geometry]\ntravel_time_s=1\n[ejector]\ndriver="simulated"', "line.toml")


def test_text_that_is_not_toml_is_refused(tmp_path: Path) -> None:
    """The line of the mistake is named; a missing file and a binary one are, too."""
    with pytest.raises(ConfigError, match="not TOML"):
        parse_config("[camera", "line.toml")
    with pytest.raises(ConfigError, match="no such file"):
        load_config(tmp_path / "absent.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read as text"):
        load_config(tmp_path / "binary.toml")


def test_the_digest_covers_values_and_not_their_order() -> None:
    """The same station has the same digest, another threshold another one."""
    swapped = '[ejector]\ndriver = "simulated"\n[geometry]\ntravel_time_s = 1\n[camera]\nbackend = "simulated"\n'
    assert config_digest(parse_config(MINIMAL, "a")) == config_digest(parse_config(swapped, "b"))
    other = MINIMAL + "[model]\nthreshold = 0.25\n"
    assert config_digest(parse_config(MINIMAL, "a")) != config_digest(parse_config(other, "b"))


def test_a_geometry_without_time_to_decide_is_refused() -> None:
    """An ejector closer than its own lead time can never get a verdict in time."""
    config = parse_config(MINIMAL.replace("1.0", "0.02"), "a")
    with pytest.raises(ValueError, match="move the ejector away"):
        config.geometry.geometry(config.ejector, ejector_lead_ns=20_000_000)


def test_a_reject_takes_behind_what_its_pulse_reaches_unless_told_otherwise() -> None:
    """The reach of a reject is its pulse and its window, in the unit of the motion; a gate's release reaches nobody."""
    config = parse_config(MINIMAL + "pulse_ms = 30\nwindow_ms = 5\n", "a")
    assert config.geometry.geometry(config.ejector, 0).takes_behind == 35_000_000
    alone = parse_config(MINIMAL.replace("= 1.0", "= 1.0\nseparation_ms = 0"), "a")
    assert alone.geometry.geometry(alone.ejector, 0).takes_behind == 0
    gate = parse_config(MINIMAL + 'mode = "positive_release"\n', "a")
    assert gate.geometry.geometry(gate.ejector, 0).takes_behind == 0


def test_lengths_are_counts_where_an_encoder_follows_the_belt() -> None:
    """300 mm at 10 counts a millimetre are 3,000 counts, whatever the speed."""
    text = MINIMAL.replace(
        "travel_time_s = 1.0", "camera_to_ejector_mm = 300\nbelt_speed_mm_s = 500\nencoder_counts_per_mm = 10"
    ).replace('driver = "simulated"', 'driver = "simulated_controller"')
    config = parse_config(text, "a")
    assert config.geometry.geometry(config.ejector, 0).travel == 3000
    with pytest.raises(ConfigError, match="its highest speed"):
        parse_config(MINIMAL.replace("= 1.0", "= 1.0\nencoder_counts_per_mm = 10"), "a")


def test_several_cameras_are_listed() -> None:
    """One [camera] or several [[camera]]; the first sees each part first, and no name comes twice."""
    several = MINIMAL.replace("travel_time_s = 1.0", "camera_to_ejector_mm = 300\nbelt_speed_mm_s = 500").replace(
        "[camera]", '[[camera]]\nname = "top"\nbackend = "simulated"\n[[camera]]\nname = "side"\nposition_mm = 40'
    )
    config = parse_config(several, "a")
    assert [camera.name for camera in config.cameras] == ["top", "side"]
    assert config.camera.name == "top"
    assert config.cameras[1].options == {"position_mm": 40.0}
    with pytest.raises(ConfigError, match="cameras are named top, top"):
        parse_config(several.replace("side", "top"), "a")
    with pytest.raises(ConfigError, match=r"camera\.1\.pitch_mm: Input should be greater than 0"):
        parse_config(several.replace("position_mm = 40", "pitch_mm = -1"), "a")


DISTANCE = "camera_to_ejector_mm = 300\nbelt_speed_mm_s = 500"


@pytest.mark.parametrize(
    ("camera", "geometry", "fragment"),
    [
        ("", "travel_time_s = 1.0\n[free_run]\npart_length_px = 100", "runs free; set camera.backend"),
        ('backend = "conveyor"', "travel_time_s = 1.0", "[free_run] must say how long a part is"),
        ("position_mm = 20", "travel_time_s = 1.0", "needs distance and speed"),
        ("position_mm = 400", DISTANCE, "looks at 400 mm, but the ejector is at 300 mm"),
        ("position_mm = 40\nspeed_mm_s = 300", DISTANCE, "runs at 300 mm/s, [geometry] says 500 mm/s"),
        ('trigger = "software"\nframes = 2', DISTANCE, "each trigger makes one frame"),
        ('trigger = "software"\npaced = false', DISTANCE, "each says when a part comes; leave one out"),
        ('trigger = "software"', f"{DISTANCE}\n[free_run]\npart_length_px = 100", "leave out camera.trigger"),
        ('backend = "replay"\npath = "a"\nrate_hz = 5\ntrigger = "software"', DISTANCE, "leave one out"),
    ],
)
def test_sections_that_contradict_each_other_are_refused(camera: str, geometry: str, fragment: str) -> None:
    """What could never judge a part is told when the file is read, not by rejects on the line."""
    backend = 'backend = "simulated"'
    text = MINIMAL.replace(backend, camera if "backend" in camera else f"{backend}\n{camera}")
    with pytest.raises(ConfigError) as caught:
        parse_config(text.replace("travel_time_s = 1.0", geometry), "a")
    assert fragment in str(caught.value)

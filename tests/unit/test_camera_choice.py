"""Which camera a command means, without asking any device."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camera.errors import CameraOptionsError
from inspection.cli.camera_choice import choose_camera, parse_options, toml_value


def test_a_backend_and_its_device() -> None:
    """backend:device sets the option that names the device; the backend alone leaves it to the only one there is."""
    chosen = choose_camera("replay:/data/shift 7", ["rate_hz=5", "loop = true"])
    assert (chosen.backend, chosen.name) == ("replay", "/data/shift 7")
    assert chosen.options == {"path": "/data/shift 7", "rate_hz": 5, "loop": True}
    assert choose_camera("replay:a:b").options == {"path": "a:b"}
    assert choose_camera("aravis:LAB01").options == {"device": "LAB01"}
    assert choose_camera("aravis").options == {}
    assert choose_camera("rtsp://10.0.0.2/stream1").options == {"url": "rtsp://10.0.0.2/stream1"}
    assert choose_camera("simulated").name == "simulated"


def test_an_option_is_a_value_of_toml_or_a_text() -> None:
    """Numbers, lists and tables as in the file; what is no TOML is the text itself, and nothing more gets in."""
    assert parse_options(["roi=[0, 0, 64, 48]", "features={Gain = 1.5}", "name=Mono8", 'quoted="5"', "a=b=c"]) == {
        "roi": [0, 0, 64, 48],
        "features": {"Gain": 1.5},
        "name": "Mono8",
        "quoted": "5",
        "a": "b=c",
    }
    assert toml_value("1\nother = 2") == "1\nother = 2"
    for bad in ("rate", "=5", " =5"):
        with pytest.raises(CameraOptionsError, match="is not key=value"):
            parse_options([bad])


@given(st.text())
def test_any_value_is_read_or_kept(text: str) -> None:
    """No text is an error: at worst it stands for itself."""
    assert toml_value(text) is not None


def test_the_only_camera_of_a_station_needs_no_name(tmp_path: Path) -> None:
    """Of a file with one camera the file is enough, and a wrong name is answered with the right ones."""
    file = tmp_path / "line 1.toml"
    file.write_text(
        '[camera]\nname = "top"\nbackend = "replay"\npath = "x"\nrate_hz = 0\n[geometry]\ntravel_time_s = 0.5\n'
        '[ejector]\ndriver = "simulated"\n'
    )
    assert choose_camera(str(file), ["rate_hz=3"]).options == {"path": "x", "rate_hz": 3}
    assert choose_camera(f"{file}:top").name == "top"
    with pytest.raises(CameraOptionsError, match=r"has no camera 'left'; name one of .*line 1\.toml:top"):
        choose_camera(f"{file}:left")

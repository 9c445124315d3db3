"""[identity] of the station file: bounded, held against the cameras, exchanged by recipe, clear without zxing-cpp."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import cv2
import numpy as np
import pytest
from coded_belt import code_image, on_part
from typer.testing import CliRunner

from inspection.cli.main import app
from inspection.config import parse_config
from inspection.config.example import EXAMPLE
from inspection.config.identity import IdentitySection, code_view
from inspection.config.reality import missing_here
from inspection.errors import ConfigError
from inspection.identity.errors import CodesMissingError
from inspection.recipes.content import merged, own_content, parse_content

STATION = """
[[camera]]
name = "top"
backend = "simulated"
[[camera]]
name = "side"
backend = "simulated"
position_mm = 20.0
[geometry]
camera_to_ejector_mm = 300.0
belt_speed_mm_s = 300.0
[ejector]
driver = "simulated"
channel = 1
heartbeat_channel = 2
[identity]
"""


def problems(identity: str) -> str:
    """What the file is refused for."""
    with pytest.raises(ConfigError) as refused:
        parse_config(STATION + identity, "line.toml")
    return str(refused.value)


@pytest.mark.parametrize(
    ("identity", "told"),
    [
        ('source = "qr"', "identity.source"),
        ('source = "code"\nformats = ["DotCode"]', "identity.formats"),
        ('source = "code"\nformats = []', "identity.formats"),
        ('source = "code"\nmax_length = 1000', "identity.max_length"),
        ('source = "counted"\nprefix = "a b"', "identity.prefix"),
        ('source = "counted"\ndigits = 3', "identity.digits"),
        ('source = "code"\nunreadable = "pass"', "identity.unreadable"),
        ('source = "code"\nremember = 0', "identity.remember"),
        ('source = "code"\nregion = {x = 0, y = 0, width = 0, height = 1}', "identity.region"),
        ('source = "code"\ncamera = "back"', "[identity] camera is 'back', but the cameras are top, side"),
        ('source = "code"\nframe = 2', "camera 'top' makes 1 of each part"),
        ('camera = "top"\nmatch = "*"', "[identity] camera and match has no effect without a source"),
        ("colour = 1", "identity.colour"),
    ],
)
def test_what_the_station_could_not_do_is_refused_by_name(identity: str, told: str) -> None:
    """Unknown words, values out of bounds, cameras and frames that are not there, keys without effect."""
    assert told in problems(identity)


def test_the_view_of_the_code_is_that_of_its_camera() -> None:
    """The second camera's picture is the second view of a part; without a code there is no such view."""
    assert code_view(parse_config(STATION + 'source = "code"', "x")) == 0
    assert code_view(parse_config(STATION + 'source = "code"\ncamera = "side"', "x")) == 1
    assert code_view(parse_config(STATION + 'source = "counted"', "x")) is None


def test_config_check_finds_a_region_outside_of_the_picture(tmp_path: Path) -> None:
    """The simulated camera's pictures are 640×480, 160 more with codes beside the parts."""
    text = STATION + 'source = "code"\ncamera = "side"\nregion = {x = 700, y = 0, width = 100, height = 100}\n'
    told = missing_here(parse_config(text, "x"))
    assert any("[identity] region" in one and "camera 'side' are 640×480" in one for one in told)
    assert not any("[identity]" in one for one in missing_here(parse_config(text + "[simulation]\ncodes = true", "x")))


def test_every_key_is_explained_in_the_example() -> None:
    """The commented section, taken as it stands, is a valid one that has every key."""
    lines = EXAMPLE.split("# [identity]")[1].split("\n[geometry]")[0].splitlines()[1:]
    keys = [line.removeprefix("# ") for line in lines if "=" in line and not line.startswith("#  ")]
    said = tomllib.loads("\n".join(keys).replace("; queue_capacity", "\n# "))
    assert IdentitySection.model_validate(said).source == "code"
    mentioned = "\n".join(lines)
    assert [name for name in IdentitySection.model_fields if f"{name} =" not in mentioned] == []


def test_a_recipe_may_exchange_it() -> None:
    """Key by key, checked against the station's cameras like the file itself."""
    config = parse_config(STATION + 'source = "code"\nmatch = "A-*"\nduplicate = "ask"', "x")
    content = parse_content('[identity]\nmatch = "B-*"\nunreadable = "count"\n', "recipe b")
    exchanged = merged(config, content, "recipe b").identity
    assert (exchanged.match, exchanged.duplicate, exchanged.unreadable) == ("B-*", "ask", "count")
    assert own_content(config)["identity"]["match"] == "A-*"
    with pytest.raises(Exception, match="camera is 'back'"):
        merged(config, parse_content('[identity]\ncamera = "back"\n', "r"), "r")


WITHOUT = """
import sys, importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "zxingcpp" else find(name, *rest)
sys.modules["zxingcpp"] = None
import inspection.station
from inspection.config.identity import IdentitySection
from inspection.identity.errors import CodesMissingError
from inspection.identity.workers import code_workers
for source in ("none", "mes", "counted"):
    assert code_workers(IdentitySection(source=source), print) is None
try:
    code_workers(IdentitySection(source="code"), print)
except CodesMissingError as error:
    print(error)
"""


def test_a_station_without_codes_needs_no_zxing_and_one_with_says_so() -> None:
    """The package is imported where a code is to be read, and nowhere else; its lack is one sentence."""
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)
    assert done.stdout.startswith('identity.source is "code", but zxing-cpp is not installed')
    assert "pip install 'lineward[codes]'" in done.stdout
    assert issubclass(CodesMissingError, ConfigError)  # a recipe that needs it is refused, and the one before stays
    loaded = "import sys, inspection.station; print('zxingcpp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_identity_read_shows_what_the_station_would_take(tmp_path: Path) -> None:
    """By the file's section or by options; JSON for programs; a picture with the box of the code; exit 1 for none."""
    picture, drawn, file = tmp_path / "part.png", tmp_path / "box.png", tmp_path / "line.toml"
    cv2.imwrite(str(picture), on_part(code_image("LW-000123"), (240, 320)))
    file.write_text(STATION + 'source = "code"\nmatch = "LW-*"\n')
    run = CliRunner().invoke(
        app, ["identity", "read", str(picture), "--config", str(file), "--out", str(drawn), "--repeat", "3", "--json"]
    )
    assert run.exit_code == 0, run.output
    told = json.loads(run.output)
    assert (told["ok"], told["serial"], told["codes"][0]["format"]) == (True, "LW-000123", "DataMatrix")
    assert 0 < told["ms"] <= told["ms_max"]
    (x, y), _, (right, bottom), _ = told["codes"][0]["corners"]
    box = cv2.imread(str(drawn))
    assert box is not None
    assert box[y, (x + right) // 2].tolist() == [0, 200, 0]
    assert box[bottom, (x + right) // 2].tolist() == [0, 200, 0]
    other = CliRunner().invoke(app, ["identity", "read", str(picture), "--match", "XX-*"])
    assert other.exit_code == 1
    assert "no serial number: the code 'LW-000123' is none of those looked for" in other.output
    plain = CliRunner().invoke(app, ["identity", "read", str(picture), "--formats", "DataMatrix"])
    assert plain.output.startswith("serial LW-000123\n")


def test_identity_read_says_what_it_cannot_do(tmp_path: Path) -> None:
    """A region beyond the picture, an unknown format, a picture that would be overwritten."""
    picture = tmp_path / "part.png"
    cv2.imwrite(str(picture), np.zeros((48, 64), np.uint8))
    for options, told in (
        (["--region", "60,0,10,10"], "reaches out of a 64×48 frame"),
        (["--formats", "DotCode"], "formats.0"),
        (["--region", "1,2"], "x,y,width,height"),
    ):
        run = CliRunner().invoke(app, ["identity", "read", str(picture), *options])
        assert run.exit_code != 0
        assert told in str(run.exception)
    assert CliRunner().invoke(app, ["identity", "read", str(picture), "--out", str(picture)]).exit_code == 2

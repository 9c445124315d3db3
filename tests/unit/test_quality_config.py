"""[quality] in the station file: read, bounded, contradictions told together, and the model's card below it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tiny_bundle import tiny_draft, tiny_golden, tiny_model, tiny_weights

from inspection.config import StationConfig, parse_config
from inspection.engine import limits_of_views
from inspection.errors import ConfigError
from models.bundle import Bundle, load_bundle, write_bundle
from models.card import QualityReference

STATION = """\
[[camera]]
name = "top"
backend = "simulated"
%s
[[camera]]
name = "side"
backend = "simulated"
position_mm = 20.0
[quality]
brightness_max = 200.0
focus_min = 0.01
[geometry]
camera_to_ejector_mm = 300.0
belt_speed_mm_s = 500.0
[ejector]
heartbeat_channel = 2
"""


def station(camera: str = "") -> StationConfig:
    return parse_config(STATION % camera, "line.toml")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle whose card knows from which pictures its model was learned."""
    out = tmp_path_factory.mktemp("model") / "tiny"
    weights = tiny_weights(2, 3)
    draft = tiny_draft(("good", "bad"), 32, 32, 3).model_copy(
        update={"quality": QualityReference(focus_min=0.001, brightness_min=30.0)}
    )
    write_bundle(out, model=tiny_model(weights, 32, 32, 3), draft=draft, golden=tiny_golden(weights, 32, 32, 3))
    return load_bundle(out)


def test_camera_before_station_before_card(bundle: Bundle) -> None:
    """Key by key, for each view; a bundle without limits and a file without any hold none."""
    views = dict(limits_of_views(station("quality = {focus_min = 0.02}"), bundle))
    top, side = views["top"], views["side"]
    assert top is not None
    assert side is not None
    assert (top.focus_min, top.brightness_min, top.brightness_max) == (0.02, 30.0, 200.0)
    assert (side.focus_min, side.brightness_min, side.brightness_max) == (0.01, 30.0, 200.0)
    bare = station().model_copy(update={"quality": type(station().quality)()})
    assert [limits for _, limits in limits_of_views(bare, None)] == [None, None]
    from_card = [limits for _, limits in limits_of_views(bare, bundle)]
    assert [one.brightness_min for one in from_card if one is not None] == [30.0, 30.0]


def test_what_contradicts_itself_is_told(bundle: Bundle) -> None:
    """In one section, between a camera and the station, and between the file and the card."""
    with pytest.raises(ConfigError, match=r"x_min is 0\.6 and x_max 0\.4"):
        station("quality = {x_min = 0.6, x_max = 0.4}")
    with pytest.raises(ConfigError, match=r"camera 'top': its quality and \[quality\] together.*brightness_min"):
        station("quality = {brightness_min = 210.0}")
    with pytest.raises(ConfigError, match="focus_mim"):
        station("quality = {focus_mim = 0.1}")
    low = replace(bundle, card=bundle.card.model_copy(update={"quality": QualityReference(brightness_min=220.0)}))
    with pytest.raises(ConfigError, match="model's card"):
        limits_of_views(station(), low)


def test_a_limit_without_its_map_is_refused_at_the_start() -> None:
    """dirt_max alone holds nothing."""
    with pytest.raises(ConfigError, match="light, which is missing"):
        limits_of_views(station("quality = {dirt_max = 0.1}"), None)


def test_the_example_explains_the_section() -> None:
    """`lineward config example` has every single limit or its ending."""
    from inspection.config.example import EXAMPLE

    assert all(word in EXAMPLE for word in ("[quality]", "focus_min", "dirt_max", "drift_share", "in_a_row"))

"""Recipes: what they may say, how they join the station's file, and a store that never changes a version."""

from __future__ import annotations

import getpass
import json
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from inspection.cli.main import app
from inspection.config import StationConfig
from inspection.config.example import EXAMPLE
from inspection.config.load import config_of, parse_config
from inspection.recipes.content import content_hash, merged, own_content, own_recipe, parse_content
from inspection.recipes.errors import RecipeContentError, RecipeError, RecipeMissingError
from inspection.recipes.store import RecipeStore
from inspection.records.entries import EntryKind
from inspection.records.errors import RecordStoreError
from inspection.records.reader import RecordReader
from inspection.records.verify import verify

STATION = """
[[camera]]
backend = "simulated"
name = "top"
[[camera]]
backend = "simulated"
name = "side"
threshold = 0.4
[model]
bundle = "zoo:parts"
threshold = 0.6
[geometry]
camera_to_ejector_mm = 300
belt_speed_mm_s = 250
[ejector]
driver = "simulated"
[quality]
focus_min = 2.0
"""


@pytest.fixture
def config() -> StationConfig:
    """A station of two cameras."""
    return parse_config(STATION, "station.toml")


def test_the_example_comes_through_a_merge_unchanged() -> None:
    """A recipe that says what the station says leaves the configuration as it is, key by key."""
    config = parse_config(EXAMPLE, "example")
    assert merged(config, {"model": {"bundle": config.model.bundle}}, "r").model_dump() == config.model_dump()
    assert merged(config, own_content(config), "r").model_dump() == config.model_dump()


def test_a_recipe_goes_before_the_station_key_by_key(config: StationConfig) -> None:
    """What it names is its own, what it leaves out is the station's; the other camera is untouched."""
    content = parse_content('[model]\nthreshold = 0.3\n[[camera]]\nname = "side"\nthreshold = 0.2\n', "r")
    joined = merged(config, content, "r")
    assert (joined.model.bundle, joined.model.threshold) == ("zoo:parts", 0.3)
    assert [camera.threshold for camera in joined.cameras] == [None, 0.2]
    assert joined.quality == config.quality
    assert joined.cameras[0] == config.cameras[0]


def test_all_that_is_wrong_is_told_at_once(config: StationConfig) -> None:
    """First what no recipe may say, then what does not fit this station: each time everything."""
    with pytest.raises(RecipeContentError) as refused:
        parse_content('[ejector]\nport = "x"\n[api]\nenabled = false\n[camera]\nbackend = "replay"\n', "r.toml")
    assert "3 problems" in str(refused.value)
    assert all(word in str(refused.value) for word in ("ejector: is no matter", "api: is no matter", "backend: is no"))
    content = parse_content('[model]\nthreshold = 7.0\nbundel = "x"\n[fusion]\nrule = "none"\n', "r.toml")
    with pytest.raises(RecipeContentError) as refused:
        merged(config, content, "r.toml")
    assert "3 problems" in str(refused.value)
    assert "did you mean 'bundle'" in str(refused.value)
    with pytest.raises(RecipeContentError, match="camera 'under': the station has none of that name — top, side"):
        merged(config, parse_content('[[camera]]\nname = "under"\nthreshold = 0.2\n', "r"), "r")
    with pytest.raises(RecipeContentError, match="empty"):
        parse_content("# nothing\n", "r")
    with pytest.raises(RecipeContentError, match="not TOML"):
        parse_content("[model", "r")


@given(st.permutations(["[model]\nthreshold = 0.25\n", "[fusion]\nthreshold = 0.5\n", "[quality]\nfocus_min = 1.5\n"]))
def test_the_hash_follows_the_content_and_not_the_layout(tables: list[str]) -> None:
    """Order and comments do not count; each value does."""
    text = "# words\n".join(tables)
    same = "[quality]\nfocus_min = 1.5\n[fusion]\nthreshold = 0.5\n[model]\nthreshold = 0.25\n"
    assert content_hash(parse_content(text, "r")) == content_hash(tomllib.loads(same))
    other = text.replace("0.25", "0.26")
    assert content_hash(parse_content(other, "r")) != content_hash(tomllib.loads(same))


def test_the_stations_own_recipe_is_named_by_its_hash(config: StationConfig) -> None:
    """Two files that differ in a threshold are two recipes; one that differs in the ejector's port is the same."""
    own = own_recipe(config).ref
    assert (own.name, own.version) == ("station", 0)
    other = parse_config(STATION.replace("threshold = 0.6", "threshold = 0.7"), "s")
    assert own_recipe(other).ref.sha256 != own.sha256
    port = parse_config(STATION.replace('driver = "simulated"', 'driver = "simulated"\npulse_ms = 21'), "s")
    assert own_recipe(port).ref == own
    assert config_of(tomllib.loads(STATION), "s") == config


def test_versions_count_up_and_never_change(tmp_path: Path) -> None:
    """Each new content is a new version; the same text again is not; a removed one stays readable."""
    store = RecipeStore(tmp_path / "recipes")
    assert store.every() == []
    first = store.add("bottle", "[model]\nthreshold = 0.3\n")
    second = store.add("bottle", "[model]\nthreshold = 0.4\n")
    again = store.add("bottle", "# a comment\n[model]\nthreshold = 0.4\n")
    assert [first.ref.version, second.ref.version, again.ref.version] == [1, 2, 2]
    assert store.get("bottle").ref == second.ref
    store.remove("bottle", 2)
    assert store.get("bottle").ref == first.ref
    assert store.get("bottle", 2).is_removed
    assert store.get("bottle", 2).content == {"model": {"threshold": 0.4}}
    assert store.add("bottle", "[model]\nthreshold = 0.4\n").ref.version == 3
    assert [recipe.ref.version for recipe in RecipeStore(tmp_path / "recipes").every()] == [1, 2, 3]


def test_a_changed_file_is_refused_by_name(tmp_path: Path) -> None:
    """Somebody edits a stored version: nobody inspects with it any more."""
    store = RecipeStore(tmp_path)
    store.add("bottle", "[model]\nthreshold = 0.3\n")
    file = tmp_path / "bottle" / "1.toml"
    file.write_text(file.read_text().replace("0.3", "0.9"))
    with pytest.raises(RecipeContentError, match=r"1\.toml: is not what was stored"):
        store.get("bottle")


def test_what_is_not_there_or_badly_named_is_said(tmp_path: Path) -> None:
    """The text names what there is; a name cannot lead out of the folder."""
    store = RecipeStore(tmp_path / "recipes")
    store.add("bottle", "[model]\nthreshold = 0.3\n")
    with pytest.raises(RecipeMissingError, match="'can': there is none — bottle are there"):
        store.get("can")
    with pytest.raises(RecipeMissingError, match="no version 9 — 1 there"):
        store.get("bottle", 9)
    for name in ("..", "../x", "a/b", "", ".hidden", "x" * 65):
        with pytest.raises(RecipeError, match="are allowed"):
            store.add(name, "[model]\nthreshold = 0.3\n")
    with pytest.raises(RecipeError, match="station's own file"):
        store.add("station", "[model]\nthreshold = 0.3\n")
    assert sorted(place.name for place in tmp_path.rglob("*")) == ["1.toml", "bottle", "recipes"]


def test_the_command_does_the_same_offline(tmp_path: Path) -> None:
    """Add, list, show, check, remove: with JSON on stdout, and the exit code of a content that is none."""
    station, recipe = tmp_path / "station.toml", tmp_path / "bottle.toml"
    station.write_text(STATION + f'[records]\ndir = "{tmp_path / "data"}"\n')
    recipe.write_text("[model]\nthreshold = 0.3\n")

    def run_command(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "inspection.cli.main", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    def told(*words: str) -> dict[str, object]:
        done = run_command("recipes", *words, "--json")
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    assert told("check", str(station), str(recipe))["ok"]
    added = told("add", str(station), "bottle", str(recipe))
    assert (added["name"], added["version"], added["is_removed"]) == ("bottle", 1, False)
    assert told("show", str(station), "bottle")["content"] == {"model": {"threshold": 0.3}}
    assert told("remove", str(station), "bottle", "--version", "1")["is_removed"]
    assert [one["is_removed"] for one in told("list", str(station))["recipes"]] == [True]  # type: ignore[attr-defined]
    recipe.write_text("[model]\nthreshold = 3\n")
    refused = run_command("recipes", "add", str(station), "bottle", str(recipe))
    assert refused.returncode == 2
    assert "threshold" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_who_changed_a_recipe_from_the_command_line_is_in_the_book(tmp_path: Path) -> None:
    """Who, when, from which version to which; the same text again is no change, a command that was killed between the
    file and the entry is made up for by the next, and where nothing can be written down nothing is changed.
    """
    station, recipe, data = tmp_path / "station.toml", tmp_path / "bottle.toml", tmp_path / "data"
    station.write_text(STATION + f'[records]\ndir = "{data}"\n')

    def told(*words: str) -> Result:
        return CliRunner().invoke(app, ["recipes", words[0], str(station), *words[1:]])

    def add(threshold: float, *more: str) -> Result:
        recipe.write_text(f"[model]\nthreshold = {threshold}\n")
        return told("add", "bottle", str(recipe), *more)

    begun_ns = time.time_ns()
    for threshold in (0.3, 0.4, 0.4):
        assert add(threshold, "--who", "Kim").exit_code == 0
    RecipeStore(data / "recipes").add("bottle", "[model]\nthreshold = 0.5\n")  # what a killed command left
    assert add(0.5, "--who", "Lee").exit_code == 0
    assert told("remove", "bottle", "--version", "3").exit_code == 0
    for who in ("K\x1b[31m", "", "x" * 65):
        refused = add(0.7, "--who", who)
        assert isinstance(refused.exception, RecipeError)
        assert str(refused.exception).isprintable()
    reader = RecordReader(data)
    entries = [one.entry for one in reader.entries(kind=EntryKind.RECIPE, subject="bottle")]
    reader.close()
    login = getpass.getuser()
    shown = [
        (one.who, one.content["change"], *((one.content[side] or {}).get("version") for side in ("before", "after")))
        for one in entries
    ]
    assert shown == [
        ("Kim", "ADDED", None, 1),
        ("Kim", "ADDED", 1, 2),
        ("Lee", "ADDED", 2, 3),
        (login, "REMOVED", 3, 2),
    ]
    assert all(begun_ns <= one.content["at_wall_ns"] <= one.wall_ns for one in entries)
    assert {one.content["caller"] for one in entries} == {f"command line of {login}"}
    assert verify(data).problems == []
    (data / "records.lock").unlink()
    (data / "records.lock").mkdir()
    assert isinstance(add(0.8).exception, RecordStoreError)
    assert RecipeStore(data / "recipes").versions("bottle") == [1, 2, 3]

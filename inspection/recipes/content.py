"""What a recipe may say: tables of the station's file that belong to a product, merged into them and hashed."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inspection.config import StationConfig
from inspection.config.cameras import CameraSection
from inspection.config.load import config_of
from inspection.errors import ConfigError
from inspection.recipes.errors import RecipeContentError

STATION_RECIPE = "station"
"""The name of what the station's own file holds."""
TABLES = ("model", "region", "quality", "fusion", "identity")
CAMERA_KEYS = ("region", "quality", "threshold", "weight", "lens", "align")
"""What a recipe may say of a camera, beside its name; the device and its place belong to the station."""
INFERENCE_KEYS = ("engine", "remote")
"""What a recipe may say of [inference]: where its model runs; threads and queues belong to the station."""


@dataclass(frozen=True, slots=True)
class RecipeRef:
    """Which recipe: its external name, its internal version (0: the station's own file), the hash of its content."""

    name: str
    version: int
    sha256: str

    def __str__(self) -> str:
        return f"{self.name} (version {self.version})" if self.version else f"{self.name} ({self.sha256[:12]})"


@dataclass(frozen=True, slots=True)
class Recipe:
    """One recipe in one version. content: its tables as TOML gives them."""

    ref: RecipeRef
    content: Mapping[str, Any]
    text: str = ""
    is_removed: bool = False
    stored_wall_ns: int = 0


def content_hash(content: Mapping[str, Any]) -> str:
    """Return the sha256 of a content in canonical form: comments, order and layout do not count."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()


def parse_content(text: str, source: str) -> dict[str, Any]:
    """Read a recipe's TOML text. Raises RecipeContentError with everything that is no matter of a recipe."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeContentError(f"{source}: not TOML: {error} — write the tables as in the station's file") from None
    if isinstance(values.get("camera"), Mapping):
        values["camera"] = [values["camera"]]
    problems = [
        f"{key}: is no matter of a recipe — {', '.join((*TABLES, 'inference', 'camera'))} are — leave it to the "
        "station's file"
        for key in values
        if key not in (*TABLES, "inference", "camera")
    ]
    inference = values.get("inference", {})
    problems += [
        f"inference.{key}: is no matter of a recipe — {', '.join(INFERENCE_KEYS)} are — leave it to the station's file"
        for key in (inference if isinstance(inference, Mapping) else ())
        if key not in INFERENCE_KEYS
    ]
    if not isinstance(inference, Mapping):
        problems.append("inference: is no table — write [inference]")
    cameras = values.get("camera", [])
    if not isinstance(cameras, list) or not all(isinstance(camera, Mapping) for camera in cameras):
        problems.append("camera: is no table — write [camera], or [[camera]] for each of several")
        cameras = []
    for camera in cameras:
        name = camera.get("name", CameraSection.model_fields["name"].default)
        problems += [
            f"camera '{name}' {key}: is no matter of a recipe — {', '.join(CAMERA_KEYS)} are — leave it to the "
            "station's file"
            for key in camera
            if key not in (*CAMERA_KEYS, "name")
        ]
    if not problems and not values:
        problems.append("it is empty — write at least one table")
    if problems:
        raise RecipeContentError("\n  ".join([f"{source}: {_count(problems)}:", *problems]))
    return values


def merged(config: StationConfig, content: Mapping[str, Any], source: str) -> StationConfig:
    """Return the station's configuration with a recipe's tables in it, held against the very same model.

    A key of the recipe goes before the station's; a region is taken as a whole. Raises RecipeContentError with all
    problems together.
    """
    values = config.model_dump(mode="json", by_alias=True, exclude_unset=True)
    for table in ("model", "quality", "fusion", "identity"):
        if table in content:
            values[table] = {**values.get(table, {}), **content[table]}
    if "region" in content:
        values["region"] = content["region"]
    if "inference" in content:
        values["inference"] = {**_without_engine(values.get("inference", {})), **content["inference"]}
    by_name = {camera.name: place for place, camera in enumerate(config.cameras)}
    problems = []
    for camera in content.get("camera", []):
        name = camera.get(
            "name", config.camera.name if len(by_name) == 1 else CameraSection.model_fields["name"].default
        )
        if name not in by_name:
            problems.append(f"camera '{name}': the station has none of that name — {', '.join(by_name)} are there")
            continue
        values["camera"][by_name[name]].update({key: value for key, value in camera.items() if key != "name"})
    try:
        if not problems:
            return config_of(values, source)
    except ConfigError as error:
        raise RecipeContentError(str(error)) from None
    raise RecipeContentError("\n  ".join([f"{source}: {_count(problems)}:", *problems]))


def own_content(config: StationConfig) -> dict[str, Any]:
    """Return what a station's own file says of the matters of a recipe."""
    values = config.model_dump(mode="json", by_alias=True, exclude_unset=True)
    content = {table: values[table] for table in TABLES if table in values}
    where = {key: value for key, value in values.get("inference", {}).items() if key in INFERENCE_KEYS}
    if where:
        content["inference"] = where
    content["camera"] = [
        {"name": camera.name, **{key: told[key] for key in CAMERA_KEYS if key in told}}
        for camera, told in zip(config.cameras, values["camera"], strict=True)
    ]
    return content


def _without_engine(inference: Mapping[str, Any]) -> dict[str, Any]:
    """Return the station's [inference] without what a recipe says instead: engine and server belong together."""
    return {key: value for key, value in inference.items() if key not in INFERENCE_KEYS}


def own_recipe(config: StationConfig) -> Recipe:
    """Return the recipe "station": what the station's file holds."""
    content = own_content(config)
    return Recipe(RecipeRef(STATION_RECIPE, 0, content_hash(content)), content)


def _count(problems: list[str]) -> str:
    return "1 problem" if len(problems) == 1 else f"{len(problems)} problems"

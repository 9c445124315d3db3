"""Reads the configuration file and tells every problem of it in one text."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from camera.backends import options_model
from camera.errors import CameraOptionsError
from inspection.config.cameras import CameraSection
from inspection.config.sections import StationConfig
from inspection.errors import ConfigError

_NEXT_STEP = "`lineward config example` prints a complete file with every key explained"


def load_config(file: Path) -> StationConfig:
    """Read a TOML file. Raises ConfigError with all problems together."""
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{file}: no such file; {_NEXT_STEP}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read as text ({error}); {_NEXT_STEP}") from None
    return parse_config(text, str(file))


def parse_config(text: str, source: str) -> StationConfig:
    """Read the text of a TOML file. Raises ConfigError with all problems together."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source}: not TOML: {error}; {_NEXT_STEP}") from None
    problems = _camera_problems(values)
    try:
        config = StationConfig.model_validate(values)
    except ValidationError as error:
        problems += [_problem(StationConfig, _as_written(values, detail)) for detail in error.errors()]
    if not problems:
        return config
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    listed = "\n".join(f"  {problem}" for problem in problems)
    raise ConfigError(f"{source}: {count}:\n{listed}\n{_NEXT_STEP}")


def _camera_problems(values: Mapping[str, Any]) -> list[str]:
    """Check the options of each [camera] with the model of its backend, which only that backend knows."""
    cameras = values.get("camera")
    if isinstance(cameras, list):
        return [one for number, camera in enumerate(cameras) for one in _backend_problems(camera, f"camera.{number}.")]
    return _backend_problems(cameras, "camera.")


def _backend_problems(section: Any, prefix: str) -> list[str]:
    if not isinstance(section, Mapping) or not isinstance(section.get("backend"), str):
        return []
    try:
        model = options_model(section["backend"])
        model.model_validate({key: value for key, value in section.items() if key not in CameraSection.model_fields})
    except CameraOptionsError as error:
        return [f"{prefix}backend: {error}"]
    except ValidationError as error:
        return [_problem(model, detail, prefix) for detail in error.errors()]
    return []


def _as_written(values: Mapping[str, Any], detail: ErrorDetails) -> ErrorDetails:
    """Leave the number out of the place of a problem where the file has a single [camera]."""
    where = detail["loc"]
    if where[:2] == ("camera", 0) and isinstance(values.get("camera"), Mapping):
        return {**detail, "loc": ("camera", *where[2:])}
    return detail


def _problem(model: type[BaseModel], detail: ErrorDetails, prefix: str = "") -> str:
    """Turn one finding of the validator into `where: what, with the value — what is allowed`."""
    where = prefix + (".".join(str(step) for step in detail["loc"]) or "file")
    if detail["type"] == "extra_forbidden":
        return f"{where}: unknown key{_suggestion(model, detail['loc'])}"
    if detail["type"] == "missing":
        return f"{where}: missing"
    message = detail["msg"].removeprefix("Value error, ")
    value = detail["input"]
    return f"{where}: {message}" + ("" if isinstance(value, Mapping) else f", not {value!r}")


def _suggestion(root: type[BaseModel], location: tuple[int | str, ...]) -> str:
    model: Any = root
    for step in location[:-1]:
        field = getattr(model, "model_fields", {}).get(step)
        model = getattr(field, "annotation", None)
    known = list(getattr(model, "model_fields", {}))
    close = get_close_matches(str(location[-1]), known, n=1)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; known: {', '.join(sorted(known))}" if known else ""


def config_digest(config: StationConfig) -> str:
    """Return the sha256 of the configuration in canonical form, defaults included: what each record refers to."""
    canonical = json.dumps(config.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()

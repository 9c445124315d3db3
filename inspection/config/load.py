"""Reads the configuration file and tells every problem of it in one text."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from camera.backends import options_model
from camera.errors import CameraOptionsError
from inspection.config.cameras import CameraSection
from inspection.config.fitness import unfit_values
from inspection.config.sections import StationConfig
from inspection.config.straightening import named_files
from inspection.config.together import TOGETHER
from inspection.errors import ConfigError
from inspection.wording import wording

_NEXT_STEP = "`lineward config example` prints a complete file with every key explained"


def load_config(file: Path) -> StationConfig:
    """Read a TOML file. Raises ConfigError with all problems together."""
    try:
        text = file.read_text("utf-8-sig")  # some editors begin a file with a mark
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
    return config_of(values, source)


def config_of(values: Mapping[str, Any], source: str) -> StationConfig:
    """Return the configuration of a file's tables. Raises ConfigError with all problems together."""
    unfit = unfit_values(StationConfig, values)
    problems = _camera_problems(values)
    try:
        config = StationConfig.model_validate(values, by_alias=True, by_name=False)  # [camera], never [cameras]
    except ValidationError as error:
        for detail in error.errors():
            problems += _problems(StationConfig, _as_written(values, detail))
    other = [problem for problem in problems if problem.partition(":")[0] not in unfit]
    problems = [f"{where}: {told}" for where, told in unfit.items()] + other
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
    """Leave a number out of the place of a problem where the file has one table: [camera], or region = {…}."""
    steps: list[int | str] = []
    at: Any = values
    for step in detail["loc"]:
        if isinstance(step, int) and isinstance(at, Mapping):
            continue
        steps.append(step)
        try:
            at = at[step]
        except (KeyError, IndexError, TypeError):
            at = None
    return {**detail, "loc": tuple(steps)}


def _problems(model: type[BaseModel], detail: ErrorDetails) -> list[str]:
    """Turn one finding of the validator into a sentence, or into one for each thing that does not go together."""
    if detail["type"] == TOGETHER:
        return list(detail["ctx"]["problems"])
    return [_problem(model, detail)]


def _problem(model: type[BaseModel], detail: ErrorDetails, prefix: str = "") -> str:
    """Turn one finding of the validator into `where: the value — what is allowed — what to do`."""
    where = (prefix + ".".join(str(step) for step in detail["loc"])).rstrip(".") or "file"
    if detail["type"] == "extra_forbidden":
        return f"{where}: unknown key{_suggestion(model, detail['loc'])}"
    if detail["type"] == "missing":
        return f"{where}: missing"
    field = _fields(model, detail["loc"]).get(str(detail["loc"][-1])) if detail["loc"] else None
    message = wording(detail, None if field is None else field.description)
    return message if message.startswith((f"{where} ", f"{where}.")) else f"{where}: {message}"


def _fields(root: type[BaseModel], location: tuple[int | str, ...]) -> dict[str, FieldInfo]:
    """Return the keys of the table in which a place lies."""
    model: Any = root
    for step in location[:-1]:
        fields: dict[str, FieldInfo] = getattr(model, "model_fields", {})
        field = fields.get(str(step)) or next((one for one in fields.values() if one.alias == step), None)
        model = model if isinstance(step, int) else _table_of(getattr(field, "annotation", None))
    return dict(getattr(model, "model_fields", {}))


def _table_of(annotation: Any) -> Any:
    """Return the model in `Model`, `Model | None` or `tuple[Model, ...]`."""
    inner = [one for one in get_args(annotation) if hasattr(one, "model_fields")]
    return inner[0] if inner else annotation


def _suggestion(root: type[BaseModel], location: tuple[int | str, ...]) -> str:
    known = [field.alias or name for name, field in _fields(root, location).items()]
    close = get_close_matches(str(location[-1]), known, n=1)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; known: {', '.join(sorted(known))}" if known else ""


def config_digest(config: StationConfig) -> str:
    """Return the sha256 of the configuration in canonical form, defaults included: what each record refers to.

    The content of the calibrations and references that it names belongs to it.
    """
    values = config.model_dump(mode="json")
    if files := named_files(config):
        values["files"] = files
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()

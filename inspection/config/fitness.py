"""What holds for every value of the file, whatever table it is in: numbers are numbers, and texts print on one line."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from camera.backends import options_model
from camera.errors import CameraOptionsError
from inspection.config.cameras import CameraSection
from inspection.config.section import kinds_of, unfit_number
from inspection.plain_text import unprintable

_SHOWN_CHARACTERS = 60


def unfit_values(root: type[BaseModel], values: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with single values, by place: "records.dir" → "is '' — a path is needed — …".

    Backends of cameras bring models of their own, and plug-ins, too: here all of them are held to the same rules.
    """
    return dict(_of_table((root,), values, ""))


def _of_table(models: tuple[Any, ...], table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    known: dict[str, set[Any]] = {}
    for model in models:
        known |= {field.alias or name: kinds_of(field.annotation) for name, field in model.model_fields.items()}
    if CameraSection in models:
        known = _backend_options(table) | known
    for key, value in table.items():
        yield from _of_value(known.get(key, set()), value, f"{prefix}{key}")


def _backend_options(camera: Mapping[str, Any]) -> dict[str, set[Any]]:
    backend = camera.get("backend")
    try:
        options = options_model(backend) if isinstance(backend, str) else None
    except CameraOptionsError:
        return {}  # told by those who check the backend
    return {} if options is None else {name: kinds_of(field.annotation) for name, field in options.model_fields.items()}


def _of_value(kinds: set[Any], value: Any, where: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        yield from _of_table(tuple(filter(_is_model, kinds)), value, f"{where}.")
    elif isinstance(value, list | tuple):
        for number, one in enumerate(value):
            yield from _of_value(kinds - {...}, one, f"{where}.{number}")
    elif problem := unfit_number(value, kinds) or _unfit_value(value, is_path=Path in kinds):
        yield where, problem


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _unfit_value(value: Any, *, is_path: bool) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return f"is {value} — a finite number is needed — write one"
    if not isinstance(value, str):
        return ""
    shown = repr(value[:_SHOWN_CHARACTERS])
    if is_path and not value.strip():
        return f"is {shown} — a path is needed — write one; a full stop is the folder of the station's start"
    if character := unprintable(value):
        return f"is {shown} — it holds {character}, and only what prints on one line is allowed — leave that out"
    return ""

"""What was learned as TOML, and its place in a station file: the section of a camera is replaced or added, no more."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from camera.whole_file import write_whole
from inspection.config import load_config, parse_config
from inspection.config.rewrite import blocks_of, toml_value
from inspection.errors import ConfigError
from inspection.quality.options import QualitySection


def section_text(values: Mapping[str, Any], header: str, statement: str) -> str:
    """Return the section as the file has it; `header` is quality, or camera.quality below a [[camera]]."""
    lines = [f"[{header}]", f"# Learned {statement}"]
    lines += [f"{key} = {toml_value(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


def write_section(file: Path, camera: str, text: str) -> None:
    """Put the section of a camera in its place, in one step; what else the file says stays as it is.

    Raises ConfigError when the file says it in a way that cannot be replaced line by line, and leaves it alone.
    """
    before = file.read_text("utf-8-sig")
    after = placed(before, text, _number_of(file, camera))
    meant = QualitySection.model_validate(_read(text))
    config = parse_config(after, str(file))
    at = next(one for one in config.cameras if one.name == camera)
    if (at.quality if text.startswith("[camera.") else config.quality) != meant:
        raise ConfigError(f"{file}: quality is written in a way that cannot be replaced; put this in by hand:\n{text}")
    write_whole(file, after)


def placed(toml: str, text: str, camera: int) -> str:
    """Return the text of a file with the section in it. camera: which [[camera]] a [camera.quality] belongs to, from 0.

    A section of the same name is replaced with the lines up to the next header; a new [camera.quality] goes below its
    camera, a new [quality] to the end.
    """
    header = "camera.quality" if text.startswith("[camera.") else "quality"
    lines = toml.splitlines()
    blocks = blocks_of(lines)
    if header == "camera.quality":
        own = [number for number, (name, _, _) in enumerate(blocks) if name == "camera"][camera]
        following = next((n for n in range(own + 1, len(blocks)) if blocks[n][0] == "camera"), len(blocks))
        begin, search = blocks[own][2], blocks[own:following]
    else:
        begin, search = len(lines), blocks
    for name, start, end in search:
        if name == header:
            return _spliced(lines, start, end, text)
    return _spliced(lines, begin, begin, text)


def _spliced(lines: list[str], start: int, end: int, text: str) -> str:
    before, after = "\n".join(lines[:start]).rstrip(), "\n".join(lines[end:]).strip("\n")
    return "\n\n".join(part for part in (before, text.strip(), after) if part) + "\n"


def _number_of(file: Path, camera: str) -> int:
    return [one.name for one in load_config(file).cameras].index(camera)


def _read(text: str) -> Any:
    values: Any = tomllib.loads(text)
    return values.get("camera", values)["quality"]

"""What was tuned as lines of a station's file, and their place in it: options of one camera, and nothing else."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from camera.whole_file import write_whole
from inspection.config import StationConfig, load_config, parse_config
from inspection.config.rewrite import blocks_of, toml_value
from inspection.errors import ConfigError

_ONE_LINE = r""""(?:[^"\\]|\\.)*"|\[[^\]"]*\]|[^#"\['\s]+"""


def lines_of(options: Mapping[str, Any]) -> list[str]:
    """Return options as TOML, a line each: `exposure_us = 5000.0`."""
    return [f"{key} = {toml_value(value)}" for key, value in options.items()]


def camera_in(file: Path, name: str, device: str) -> str:
    """Return which camera of a file is meant: of this name, with this device, or the only one. Raises ConfigError."""
    cameras = load_config(file).cameras
    named = [one.name for one in cameras if one.name == name]
    same = [one.name for one in cameras if device and one.options.get("device") == device]
    for found in (named, same, [one.name for one in cameras]):
        if len(found) == 1:
            return found[0]
    names = ", ".join(one.name for one in cameras)
    raise ConfigError(f"{file}: none of its cameras ({names}) is '{name}'; choose one with {file}:NAME")


def write_options(file: Path, camera: str, options: Mapping[str, Any]) -> None:
    """Put options of a camera in their place, in one step; what else the file says stays as it is.

    Raises ConfigError when the file is none, or says it in a way that cannot be replaced, and leaves it alone.
    """
    before = file.read_text("utf-8-sig")
    old = load_config(file)
    at = [one.name for one in old.cameras].index(camera)
    after = placed(before, at, options)
    try:
        new = parse_config(after, str(file))
    except ConfigError:
        new = None
    if new is None or not _only_changed(old, new, at, options):
        text = "\n".join(lines_of(options))
        raise ConfigError(
            f"{file}: the options of camera '{camera}' are written in a way that cannot be replaced line by line; put "
            f"these in by hand:\n{text}"
        )
    write_whole(file, after)


def placed(toml: str, camera: int, options: Mapping[str, Any]) -> str:
    """Return the text of a file with the options in its camera number `camera`, from 0: replaced, or added below."""
    lines = toml.splitlines()
    own = [(start, end) for name, start, end in blocks_of(lines) if name == "camera"]
    if camera >= len(own):
        return toml
    start, end = own[camera]
    for key, value in options.items():
        end = _put(lines, start, end, key, toml_value(value))
    return "\n".join(lines) + "\n"


def _put(lines: list[str], start: int, end: int, key: str, value: str) -> int:
    """Replace or add one line of a block; return where the block ends now."""
    own = re.compile(rf"^(\s*{re.escape(key)}\s*=\s*)({_ONE_LINE})(\s*#.*)?$")
    for place in range(start + 1, end):
        if (found := own.match(lines[place])) is not None:
            lines[place] = f"{found[1]}{value}{found[3] or ''}"
            return end
    filled = [place for place in range(start, end) if lines[place].strip() and not lines[place].startswith("#")]
    lines.insert(filled[-1] + 1, f"{key} = {value}")
    return end + 1


def _only_changed(old: StationConfig, new: StationConfig, camera: int, options: Mapping[str, Any]) -> bool:
    """Return whether the new configuration is the old one with these options."""
    wanted = {**old.cameras[camera].options, **tomllib.loads("\n".join(lines_of(options)))}
    same = [one for place, one in enumerate(old.cameras) if place != camera]
    kept = [one for place, one in enumerate(new.cameras) if place != camera]
    rest = {"cameras": old.cameras}
    return same == kept and new.cameras[camera].options == wanted and new.model_copy(update=rest) == old

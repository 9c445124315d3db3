"""A station's file is changed line by line: what a person wrote beside it stays as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

_HEADER = re.compile(r"^\s*\[{1,2}\s*([A-Za-z0-9_.-]+)\s*\]{1,2}\s*(#.*)?$")
_A_ROW = 8


def toml_value(value: Any) -> str:
    """Return a value as TOML writes it: floats to 7 digits, a long list in rows."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {toml_value(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, Sequence):
        rows = [", ".join(map(toml_value, value[place : place + _A_ROW])) for place in range(0, len(value), _A_ROW)]
        return f"[{''.join(rows)}]" if len(rows) < 2 else "[\n" + "".join(f"    {row},\n" for row in rows) + "]"
    return repr(float(f"{value:.7g}")) if isinstance(value, float) else str(value)


def blocks_of(lines: Sequence[str]) -> list[tuple[str, int, int]]:
    """Return each table of a TOML file: its name, the line of its header, and the line after its last."""
    starts = [(place, found[1]) for place, line in enumerate(lines) if (found := _HEADER.match(line))]
    ends = [place for place, _ in starts[1:]] + [len(lines)]
    return [(name, start, end) for (start, name), end in zip(starts, ends, strict=True)]

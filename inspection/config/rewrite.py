"""A station's file is changed line by line: what a person wrote beside it stays as it is."""

from __future__ import annotations

import re
from collections.abc import Sequence

_HEADER = re.compile(r"^\s*\[{1,2}\s*([A-Za-z0-9_.-]+)\s*\]{1,2}\s*(#.*)?$")


def blocks_of(lines: Sequence[str]) -> list[tuple[str, int, int]]:
    """Return each table of a TOML file: its name, the line of its header, and the line after its last."""
    starts = [(place, found[1]) for place, line in enumerate(lines) if (found := _HEADER.match(line))]
    ends = [place for place, _ in starts[1:]] + [len(lines)]
    return [(name, start, end) for (start, name), end in zip(starts, ends, strict=True)]

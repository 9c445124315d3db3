"""A station's file is changed line by line: what a person wrote beside it stays as it is."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

_HEADER = re.compile(r"^\s*\[{1,2}\s*([A-Za-z0-9_.-]+)\s*\]{1,2}\s*(#.*)?$")


def blocks_of(lines: Sequence[str]) -> list[tuple[str, int, int]]:
    """Return each table of a TOML file: its name, the line of its header, and the line after its last."""
    starts = [(place, found[1]) for place, line in enumerate(lines) if (found := _HEADER.match(line))]
    ends = [place for place, _ in starts[1:]] + [len(lines)]
    return [(name, start, end) for (start, name), end in zip(starts, ends, strict=True)]


def replace_text(file: Path, text: str) -> None:
    """Give a file a new text in one step: whoever reads it meanwhile, or loses power, has the old or the new one."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    with os.fdopen(handle, "w", encoding="utf-8") as new:
        new.write(text)
        new.flush()
        os.fsync(new.fileno())
    Path(name).chmod(file.stat().st_mode & 0o7777)
    Path(name).replace(file)

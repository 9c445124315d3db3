"""How far the plant's copy is, kept beside the store: what a restart goes on from, and what a command can tell."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

RECORDS_FILE = "plant-records.json"
IMAGES_FILE = "plant-images.json"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a copy in one place is. numbers: by book, the newest there. wall_ns: of the last copy; 0: none."""

    place: str
    numbers: Mapping[str, int]
    wall_ns: int


def save_progress(file: Path, place: str, numbers: Mapping[str, int], wall_ns: int = 0) -> None:
    """Keep it; the file is whole at any moment. Raises OSError."""
    beside = file.with_suffix(".part")
    with beside.open("w", encoding="utf-8") as written:
        json.dump({"place": place, "numbers": dict(numbers), "wall_ns": wall_ns}, written)
        written.flush()
        os.fdatasync(written.fileno())
    beside.replace(file)


def read_progress(file: Path, place: str = "") -> Progress | None:
    """Return what was kept; None where nothing was, nothing can be read, or it is about another place than this one."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        kept = json.loads(file.read_text("utf-8"))
        numbers = {str(name): int(number) for name, number in kept["numbers"].items()}
        if not place or kept["place"] == place:
            return Progress(str(kept["place"]), numbers, int(kept["wall_ns"]))
    return None

"""Which images went before they were copied: noted beside the store, so that a check can tell them from lost ones."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

NEVER_COPIED_FILE = "plant-images-never-copied"


def note_never_copied(directory: Path, place: str, sequences: Iterable[int]) -> None:
    """Add records whose images cannot go to a place any more; durable on return. Raises OSError.

    What was noted of another place is forgotten: there everything is looked at anew.
    """
    file = directory / NEVER_COPIED_FILE
    is_new = _place(file) != place
    with file.open("w" if is_new else "a", encoding="utf-8") as written:
        written.write(f"{place}\n" if is_new else "")
        written.writelines(f"{sequence}\n" for sequence in sequences)
        written.flush()
        os.fdatasync(written.fileno())


def forget_never_copied(directory: Path) -> None:
    """Forget all: the store was put back from an older copy, and its numbers mean other records. Raises OSError."""
    (directory / NEVER_COPIED_FILE).unlink(missing_ok=True)


def read_never_copied(directory: Path, place: str) -> frozenset[int]:
    """Return what was noted of a place; nothing where nothing can be read."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        told, *lines = (directory / NEVER_COPIED_FILE).read_text("utf-8").splitlines()
        return frozenset(int(line) for line in lines if line.isdecimal()) if told == place else frozenset()
    return frozenset()


def _place(file: Path) -> str | None:
    with contextlib.suppress(OSError, UnicodeDecodeError), file.open(encoding="utf-8") as read:
        return read.readline().rstrip("\n")
    return None

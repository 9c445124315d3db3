"""A file is written whole or not at all: what a full disk or a cut of the power leaves is the older one."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_whole(file: Path, content: bytes | str, *, private: bool = False) -> None:
    """Write a file durably in one step, a text as UTF-8; an older one keeps its permissions. Raises OSError.

    private: only its owner may read it (mode 0600), from its first moment and whatever an older one allowed.
    It is written beside its place and then renamed: whoever reads meanwhile has the old or the new one.
    """
    data = content.encode() if isinstance(content, str) else content
    place = file.resolve()  # a link stays one
    if place.exists() and not place.is_file():  # a pipe or a device: nothing to rename
        place.write_bytes(data)
        return
    beside = place.with_name(f".{secrets.token_hex(6)}.half")
    try:
        with open(beside, "xb", opener=_for_owner if private else None) as new:
            new.write(data)
            new.flush()
            os.fsync(new.fileno())
        if place.exists() and not private:
            beside.chmod(place.stat().st_mode & 0o7777)
        beside.replace(place)
        _keep_name(place.parent)
    except OSError as error:
        error.filename, error.filename2 = str(file), None
        raise
    finally:
        beside.unlink(missing_ok=True)


def _keep_name(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _for_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)

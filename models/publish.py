"""Putting a finished folder or file in its place in one step, so that a reader never sees half of it."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path


def publish_folder(out: Path, contents: Mapping[str, bytes]) -> None:
    """Write the files into a folder beside `out`, flush them to disk, then rename it to `out`, in place of one there.

    A failure leaves `out` as it was. A replaced folder is gone from its name only between two renames.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(out)
    temporary.mkdir()
    try:
        for name, data in contents.items():
            _write_through(temporary / name, data)
        _sync_folder(temporary)
        _replace_folder(temporary, out)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    _sync_folder(out.parent)


def publish_file(out: Path, data: bytes) -> None:
    """Write a file beside `out`, flush it to disk, then rename it to `out`."""
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(out)
    try:
        _write_through(temporary, data)
        temporary.replace(out)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(out.parent)


def _beside(out: Path) -> Path:
    return out.with_name(f".{out.name}.{secrets.token_hex(4)}.writing")


def _write_through(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _replace_folder(temporary: Path, out: Path) -> None:
    if not out.exists():
        temporary.rename(out)
        return
    old = _beside(out)
    out.rename(old)
    try:
        temporary.rename(out)
    except BaseException:
        old.rename(out)
        raise
    shutil.rmtree(old)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

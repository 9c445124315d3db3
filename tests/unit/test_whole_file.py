"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from camera.whole_file import write_whole


def test_an_older_file_is_replaced_and_keeps_its_permissions(tmp_path: Path) -> None:
    """The new content, the old mode, the link in front of it, and nothing left beside it."""
    file, link = tmp_path / "a.toml", tmp_path / "link.toml"
    write_whole(file, "first")
    assert file.stat().st_mode & 0o777 == 0o666 & ~_umask()
    file.chmod(0o640)
    link.symlink_to(file)
    write_whole(link, "zweiter größer")
    assert file.read_text("utf-8") == "zweiter größer"
    assert file.stat().st_mode & 0o777 == 0o640
    assert link.is_symlink()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.toml", "link.toml"]


def test_what_is_no_file_is_written_to(tmp_path: Path) -> None:
    """A pipe stays a pipe, and a folder that is not there is named."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_whole(pipe, b"seen")
    assert os.read(reader, 10) == b"seen"
    os.close(reader)
    with pytest.raises(FileNotFoundError, match="none/x"):
        write_whole(tmp_path / "none" / "x", b"")


def _umask() -> int:
    now = os.umask(0)
    os.umask(now)
    return now

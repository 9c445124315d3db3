"""A full disk at the command line."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from inspection.cli import main as command_line


@pytest.mark.parametrize("name", [None, "shift7/frames.jsonl"])
def test_a_full_disk_is_one_sentence(
    name: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A write that fails names its file only where the system did; the sentence is whole without it, too."""

    def write() -> None:
        descriptor = os.open(Path("/dev/full"), os.O_WRONLY)
        try:
            os.write(descriptor, b"x")
        except OSError as error:
            raise OSError(error.errno, error.strerror, name) from error
        finally:
            os.close(descriptor)

    monkeypatch.setattr(command_line, "app", write)
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    assert ended.value.code == 1
    where = f"{name}: " if name else ""
    told = "free some space on that disk, or name a place on another one"
    assert capsys.readouterr().err == f"lineward: {where}{os.strerror(errno.ENOSPC)} — {told}\n"


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.EACCES, "mend the rights of the file and its folder, or name a place that this user may write to"),
        (errno.EROFS, "that disk is mounted read-only: mend it, or mount it so that it can be written"),
        (errno.EIO, "the disk may be failing: look at the system's log, and have it checked"),
    ],
)
def test_what_to_do_follows_from_the_error(
    number: int, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody is told to free space where the rights are wrong, the disk is read-only, or it fails."""

    def write() -> None:
        raise OSError(number, os.strerror(number), "a.csv")

    monkeypatch.setattr(command_line, "app", write)
    with pytest.raises(SystemExit):
        command_line.main()
    assert capsys.readouterr().err == f"lineward: a.csv: {os.strerror(number)} — {told}\n"

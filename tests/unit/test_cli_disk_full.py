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
    said = f"lineward: {where}{os.strerror(errno.ENOSPC)}; free some space or choose a place that can be written\n"
    assert capsys.readouterr().err == said

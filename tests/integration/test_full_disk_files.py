"""Commands that write one file, on a file system that is full: the good older file stays."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
OLDER = "the good older one"
_WRITE = """
import sys
from pathlib import Path
small = Path(sys.argv[1])
(small / "filler").write_bytes(bytes(1_040_000))
for kept in ("a.png", "board.png"):
    (small / kept).write_text("the good older one")
"""


def test_a_full_disk_leaves_the_older_file(tmp_path: Path) -> None:
    """A real file system of 1 MB: exit 1, one sentence that names the file, and what was there is there."""
    small, kept = tmp_path / "small", tmp_path / "kept"
    small.mkdir()
    (tmp_path / "fill.py").write_text(_WRITE)
    lineward = f"{sys.executable} -m inspection.cli.main cameras"
    script = f"""mount -t tmpfs -o size=1m none {small} || exit 77
        {sys.executable} {tmp_path}/fill.py {small}
        {lineward} snapshot simulated {small}/a.png; test $? = 1 || exit 2
        {lineward} board --board 9x6 --dpi 600 --out {small}/board.png; test $? = 1 || exit 3
        {lineward} snapshot simulated {small}/new.png; test $? = 1 || exit 4
        rm {small}/filler; mkdir {kept}; cp -r {small}/. {kept}"""
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, timeout=120, cwd=TESTS.parent
    )
    if done.returncode == 77 or "unshare failed" in done.stderr:
        pytest.skip("no small file system can be mounted here")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    for name in ("a.png", "board.png", "new.png"):
        assert f"lineward: {small}/{name}: No space left on device — free some space" in done.stderr
    found = {file.name: file.read_text() for file in kept.iterdir()}
    assert found == dict.fromkeys(("a.png", "board.png"), OLDER)

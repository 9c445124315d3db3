"""The check of the protos finds what it is there for: with the real buf, on a copy of the repository's protos."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUF = ROOT / ".venv" / "buf" / "buf"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with the protos, their rules and the script."""
    shutil.copytree(ROOT / "proto", tmp_path / "proto")
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "check-proto", tmp_path / "scripts")
    return tmp_path


def check(copy: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {**os.environ, "BUF": str(BUF), "XDG_CACHE_HOME": str(copy / "cache"), **environment}
    command = [str(copy / "scripts" / "check-proto"), *options]
    return subprocess.run(command, env=given, capture_output=True, text=True, check=False)


def changed(copy: Path, name: str, before: str, after: str) -> None:
    file = copy / "proto" / "lineward" / "inspection" / "v1" / name
    text = file.read_text("utf-8")
    assert before in text
    file.write_text(text.replace(before, after), "utf-8")


@pytest.mark.parametrize(("in_ci", "code"), [("", 0), ("false", 0), ("true", 1)])
def test_without_the_tool_it_says_so(copy: Path, in_ci: str, code: int) -> None:
    """Loudly, and in CI it fails: nobody takes "not run" for "fine"."""
    done = check(copy, BUF=str(copy / "no-such-buf"), CI=in_ci)
    assert done.returncode == code
    assert "NOT RUN" in done.stderr


needs_buf = pytest.mark.skipif(
    not BUF.exists() and os.environ.get("CI") != "true", reason="no buf here: scripts/test-buf brings it"
)


@needs_buf
def test_the_protos_are_as_they_should_be(copy: Path) -> None:
    """In style, and compatible with the baseline."""
    done = check(copy)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_buf
@pytest.mark.parametrize(
    ("name", "before", "after", "said"),
    [
        ("lot.proto", "  double running_s = 5;\n", "", "running_s"),
        ("lot.proto", "double running_s = 5;", "string running_s = 5;", "changed type"),
        ("lot.proto", "double running_s = 5;", "double running_s = 6;", "running_s"),
        ("common.proto", "  VERDICT_PASS = 1;\n  VERDICT_REJECT = 2;", "  VERDICT_REJECT = 2;", "Verdict"),
        ("station.proto", "  rpc Stop(StopRequest) returns (StopResponse);\n", "", "Stop"),
    ],
)
def test_what_breaks_a_client_is_refused(copy: Path, name: str, before: str, after: str, said: str) -> None:
    """A field, value or method that goes, or means something else, is named."""
    changed(copy, name, before, after)
    done = check(copy)
    assert done.returncode != 0
    assert said in done.stdout + done.stderr


@needs_buf
def test_what_is_new_breaks_nobody_and_the_baseline_follows_a_release(copy: Path) -> None:
    """A new field passes; once it was released, it may go no more."""
    changed(copy, "lot.proto", "  double running_s = 5;\n", "  double running_s = 5;\n  int64 scrap = 6;\n")
    assert check(copy).returncode == 0
    assert check(copy, "--renew").returncode == 0
    changed(copy, "lot.proto", "  int64 scrap = 6;\n", "")
    assert "scrap" in check(copy).stdout


@needs_buf
def test_style_is_checked(copy: Path) -> None:
    """A method without a comment is found, as any other breach of the rules in buf.yaml."""
    changed(copy, "station.proto", "  rpc Stop(StopRequest)", "\n\n  rpc Abc(StopRequest)")
    assert "ABC" in (check(copy).stdout).upper()

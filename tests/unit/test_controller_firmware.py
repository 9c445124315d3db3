"""The firmware's own tests, compiled with every warning an error and run under sanitizers."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from controller_world import needs_compiler

pytestmark = needs_compiler
FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"


@pytest.mark.skipif(shutil.which("make") is None, reason="no make: sudo apt-get install make")
def test_the_core_holds_under_sanitizers(tmp_path: Path) -> None:
    """`make -C firmware test` builds without a warning and every test holds."""
    done = subprocess.run(
        ["make", "-C", str(FIRMWARE), f"OUT={tmp_path}", "test"],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "controller core: 0 failures" in done.stdout

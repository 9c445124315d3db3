"""Long runs: an hour's worth of parts, and a demo of thousands (`make soak`)."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from inspection.bench.frames import Setting
from inspection.bench.memory import HOUR_PARTS, run

pytestmark = pytest.mark.soak


def test_memory_does_not_keep_growing() -> None:
    """Over four hours' worth of parts the last quarter takes what the quarter before it took."""
    result = run(Setting("zoo:parts", workers=2, max_batch=4, width=640, height=480), parts=4 * HOUR_PARTS, say=print)
    assert result["ratio_to_half"] < 1.02
    assert result["peak_mb"] < 300


def test_thousands_of_parts_keep_every_promise() -> None:
    """Five thousand simulated parts, frames lost among them: the account breaks no promise."""
    command = [sys.executable, "-m", "inspection.cli.main", "demo", "--parts", "5000", "--json", "--no-page"]
    done = subprocess.run([*command, "--api-port", "0"], capture_output=True, text=True, check=False)
    account = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, account["promises_broken"]) == (0, [])
    assert account["triggers"] == account["records"] == 5000

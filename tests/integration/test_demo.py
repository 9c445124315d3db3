"""`lineward demo`: a whole simulated line that ends by itself and settles its account."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from controller_world import needs_compiler

from inspection.records.verify import verify

DEMO = [sys.executable, "-m", "inspection.cli.main", "demo", "--no-page", "--api-port", "0"]
KEYS = {
    "triggers", "records", "passed", "rejected", "rejected_by_reason", "late", "escaped", "overkill", "pulses",
    "wrong_pulses", "promises_broken",
}  # fmt: skip


def test_the_demo_ends_by_itself_with_one_json_object(tmp_path: Path) -> None:
    """Eighty parts, some of them bad and some without image: every part has a record, every reject its command."""
    command = [*DEMO, "--parts", "80", "--rate", "10", "--lost-frame-rate", "0.05", "--json", "--dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    account = json.loads(done.stdout.splitlines()[-1])
    assert set(account) == KEYS
    assert account["triggers"] == account["records"] == 80
    assert account["passed"] + account["rejected"] == 80
    assert account["rejected"] == account["pulses"]
    assert sum(account["rejected_by_reason"].values()) == account["rejected"]
    assert account["rejected_by_reason"]["NO_IMAGE"] > 0
    broken_by_slowness = [text for text in account["promises_broken"] if text.startswith("3 ") and "0 pulses" in text]
    assert account["promises_broken"] == broken_by_slowness
    assert done.returncode == (1 if broken_by_slowness else 0)
    assert verify(tmp_path).ok


def test_a_language_that_is_not_there_is_refused_in_one_sentence() -> None:
    """A wrong --language is told like a wrong --ejector: what is there, exit code 2, no traceback."""
    done = subprocess.run([*DEMO, "--language", "fr"], capture_output=True, text=True, timeout=100, check=False)
    assert done.stderr == "lineward: --language fr: does not exist — there are: en, ko — choose one\n"
    assert done.returncode == 2


@needs_compiler
def test_no_part_of_a_demo_with_a_controller_is_without_image(tmp_path: Path) -> None:
    """The controller tells of the triggers, the camera of nothing but frames: each finds its part from the first on."""
    command = [*DEMO, "--ejector", "controller", "--parts", "6", "--rate", "2", "--lost-frame-rate", "0", "--json"]
    done = subprocess.run([*command, "--dir", str(tmp_path)], capture_output=True, text=True, timeout=200, check=False)
    account = json.loads(done.stdout.splitlines()[-1])
    assert account["triggers"] == account["records"] == 6
    assert "NO_IMAGE" not in account["rejected_by_reason"]
    assert account["escaped"] == 0


def test_ctrl_c_ends_an_endless_demo_cleanly(tmp_path: Path) -> None:
    """An endless demo is told to end: the account is settled over what there was."""
    process = subprocess.Popen(
        [*DEMO, "--json", "--rate", "10", "--dir", str(tmp_path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stderr is not None
    while "API" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    account = json.loads(out.splitlines()[-1])
    assert account["triggers"] == account["records"]
    assert [text for text in account["promises_broken"] if not text.startswith("3 ")] == []
    assert verify(tmp_path).ok

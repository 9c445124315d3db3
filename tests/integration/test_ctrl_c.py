"""Ctrl-C at any moment of a command: no traceback, and the exit code of an interrupt."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

BOUND_S = 90.0
_LINEWARD = "from inspection.cli.entry import main; main()"  # what the installed script does


def tune(*interpreter: str) -> subprocess.Popen[str]:
    command = [sys.executable, *interpreter, "-c", _LINEWARD, "cameras", "tune", "simulated", "--port", "0"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=Path(__file__).resolve().parents[2])


@pytest.mark.parametrize(
    "module",
    ["typer._click.core", "numpy.exceptions", "pydantic_core._pydantic_core", "inspection.page.server", "nicegui.ui"],
)
def test_a_command_that_still_loads_is_ended_quietly(module: str) -> None:
    """The signal comes just when the interpreter says that it has this module, and is in the middle of others."""
    with tune("-X", "importtime") as process:
        try:
            assert process.stderr is not None
            assert any(line.rpartition("|")[2].strip() == module for line in process.stderr)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=BOUND_S)
        finally:
            process.kill()
    said = [line for line in errors.splitlines() if not line.startswith("import time:")]
    assert (process.returncode, said) == (130, [])


def test_a_page_that_is_served_ends_well_and_says_what_it_waits_for() -> None:
    """The camera takes a moment to close: a line says so before, and the exit code is 0."""
    with tune() as process:
        try:
            assert process.stdout is not None
            assert re.search(r"http://127\.0\.0\.1:\d+", said := process.stdout.readline()), said
            process.send_signal(signal.SIGINT)
            told, errors = process.communicate(timeout=BOUND_S)
        finally:
            process.kill()
    assert (process.returncode, errors) == (0, "")
    assert told == "closing the camera simulated …\n"


def test_a_command_that_was_started_to_ignore_ctrl_c_ignores_it() -> None:
    """As `nohup` and a shell's background jobs do it."""
    code = "import os, signal; " + _LINEWARD.replace("main()", "signal.raise_signal(signal.SIGINT); main()")
    script = f"trap '' INT; exec {sys.executable} -c '{code}' --version"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=BOUND_S)
    assert (done.returncode, done.stdout.startswith("lineward ")) == (0, True), done.stderr

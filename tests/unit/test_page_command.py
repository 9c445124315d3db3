"""`python -m inspection.page`: what it says to wrong options and a taken port."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def run_page(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "inspection.page", *options]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)


def test_a_taken_port_is_one_clear_message() -> None:
    """The message names the port and the next step; exit code 1; no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run_page("--port", str(port))
    assert ended.returncode == 1
    assert str(port) in ended.stderr
    assert "--port" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--host", "0.0.0.0"), "no login"),
        (("--language", "tlh"), "en, ko"),
        (("--port", "70000"), "70000"),
        (("--api", "nonsense"), "nonsense"),
    ],
)
def test_an_option_that_is_not_allowed_is_refused(options: tuple[str, str], named: str) -> None:
    """Exit code 2, the value and the way out in one message, no traceback."""
    ended = run_page(*options)
    assert ended.returncode == 2
    assert options[1] in ended.stderr
    assert named in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_page_loads_no_part_of_the_hot_path() -> None:
    """The page's process carries neither the model's runtime nor the drivers, and nothing that trains."""
    code = (
        "import sys, inspection.page.server; "
        "print(sorted({'onnxruntime', 'torch', 'onnx', 'serial', 'inspection.station', 'camera'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"

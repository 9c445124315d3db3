"""`lineward cameras tune` ends when it is told to, although its camera's driver hangs in the page's own process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from plugin_package import install_plugin

TESTS = Path(__file__).resolve().parents[1]
BOUND_S = 90.0


@pytest.mark.parametrize("own_process", ["false", "true"])
def test_a_driver_that_never_returns_does_not_keep_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_process: str
) -> None:
    """Its last call is one of C that never ends; in a process of its own, that process alone is ended."""
    install_plugin(tmp_path, monkeypatch, "troubled", troubled="troubled_camera:BACKEND")
    places = (tmp_path / "site-troubled", TESTS.parent, TESTS / "support")
    words = ["troubled:A1", "-o", f"own_process={own_process}", "-o", "trouble=hang", "-o", "stage=stop"]
    with subprocess.Popen(
        [sys.executable, "-m", "inspection.cli.main", "cameras", "tune", *words, "--port", "0"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as page:
        try:
            assert page.stdout is not None
            assert re.search(r"http://127\.0\.0\.1:\d+", said := page.stdout.readline()), said
            page.send_signal(signal.SIGTERM)
            _, errors = page.communicate(timeout=BOUND_S)
        finally:
            page.kill()
    assert page.returncode == 0, errors
    assert ("the camera was not closed" in errors) == (own_process == "false"), errors

"""No library reports home: not where a station runs, not where a model is trained."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("openvino")

RUN = """
from models.bundle import load_bundle
from models.engines import open_engine
from models.references import resolve_bundle
bundle = load_bundle(resolve_bundle("zoo:parts"))
for engine in ("onnxruntime", "openvino"):
    open_engine(bundle, engine)
"""


def test_engines_leave_no_number_for_the_machine(tmp_path: Path) -> None:
    """Both engines open and run a model, and neither keeps what it would know the machine by, or anything to send."""
    told = {"CI", "TF_BUILD", "GITHUB_ACTIONS", "ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME"}
    environment = {key: value for key, value in os.environ.items() if key not in told} | {"HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", RUN], check=True, env=environment, timeout=120)
    assert [file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file()] == []

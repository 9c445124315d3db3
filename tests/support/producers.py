"""The GenTL producers that the tests talk to, and pylon's emulation: real SDKs without a device."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def viky() -> str:
    """Return the producer that comes with the package: grey and RGBa games, free-running, without time stamps."""
    genicam = pytest.importorskip("genicam")
    return str(Path(genicam.__file__).with_name("viky.cti"))


def tlsimu() -> str:
    """Return the producer of an older wheel: grey and colour patterns, software trigger, stamps that jump back."""
    pytest.importorskip("genicam")
    file = REPOSITORY / ".venv" / "producers" / "TLSimu.cti"
    run = subprocess.run([REPOSITORY / "scripts" / "test-producers"], capture_output=True, text=True, timeout=120)
    if run.returncode != 0:
        message = f"no TLSimu: {run.stderr[-500:]}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return str(file.resolve())

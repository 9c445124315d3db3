"""The controller's core for a microcontroller: compiled for a Cortex-M0+, and what it takes and needs there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"
# What is in libgcc and any C library: no heap, no exceptions, no standard output, no static constructors.
MAY_NEED = {"memcpy", "memset", "memcmp", "memmove"}
COMPILER = "arm-none-eabi-g++"

pytestmark = pytest.mark.skipif(
    (shutil.which(COMPILER) is None or shutil.which("make") is None) and os.environ.get("CI") != "true",
    reason=f"not run: no make, or no {COMPILER} (scripts/system-packages names its packages)",
)


def test_the_core_compiles_for_a_microcontroller_and_is_small(tmp_path: Path) -> None:
    """Not a warning; less than 12 kB of flash and 20 kB of RAM, none of it set at the start; nothing from an OS."""
    command = ["make", "-C", str(FIRMWARE), f"OUT={tmp_path}", "cross"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"^ *(\d+)\s+(\d+)\s+(\d+)\s+\d+\s+[0-9a-f]+\s+\S+core\.o$", done.stdout, re.MULTILINE)
    assert found is not None, done.stdout
    text, data, bss = map(int, found.groups())
    print(f"Cortex-M0+: {text} bytes of flash, {data + bss} bytes of RAM")
    assert 1_000 < text < 12_000
    assert data == 0
    assert 1_000 < bss < 20_000
    needed = set(re.findall(r"^ +U (\S+)$", done.stdout, re.MULTILINE))
    assert {name for name in needed if not name.startswith(("__aeabi_", "__gnu_thumb1_"))} <= MAY_NEED

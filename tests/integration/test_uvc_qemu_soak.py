"""The uvc camera against a real V4L2 device: a virtual machine whose kernel brings its test camera along."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from vivid_machine import boot, fetch_kernel, missing

ROOT = Path(__file__).resolve().parents[2]
DEVICE = "/dev/video0"

SCRIPT = """
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/run TMPDIR=/run PYTHONDONTWRITEBYTECODE=1 LANG=C.UTF-8
export PYTHONPATH={root}:{root}/tests/support LINEWARD_TEST_VIVID={device}
/sbin/modprobe -d {kernel} vivid n_devs=1 node_types=0x1 || exit 90
ip link set lo up
cd {root}
{python} -m pytest -p no:cacheprovider -p no:hypothesispytest --color=no -rfs -s tests/guest/uvc_vivid.py \
   tests/contract/test_camera_contract.py -k "uvc" --timeout 120
"""


@pytest.mark.soak
@pytest.mark.timeout(1_800)
def test_the_uvc_camera_keeps_its_contract_on_the_kernels_test_camera(tmp_path: Path) -> None:
    """The contract suite, drops, damage, wrapping, unplugging, silence, a second user, formats, settings: in QEMU."""
    assert missing() == [], "scripts/system-packages soak installs them"
    kernel = fetch_kernel(tmp_path)
    script = SCRIPT.format(root=ROOT, device=DEVICE, kernel=kernel.folder, python=sys.executable)
    console = boot(kernel, tmp_path, script, timeout_s=1_200)
    print(console[-20_000:])
    assert re.search(r"^GUEST ENDED 0\s*$", console, re.MULTILINE), console[-20_000:]
    passed = re.search(r"(\d+) passed", console)
    assert passed is not None
    not_tried = re.findall(r"^SKIPPED \[1\] \S+ (.*?)\s*$", console, re.MULTILINE)
    assert all("trigger" in reason for reason in not_tried), not_tried  # a V4L2 device is triggered by nothing
    assert int(passed[1]) >= 22
    assert int(passed[1]) + len(not_tried) >= 25

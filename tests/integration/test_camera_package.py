"""The example of docs/add-a-camera.md: a package with a driver, as anybody may install it, does what the page says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLE = REPOSITORY / "docs" / "examples" / "socketcam"
NOT_TRIED = 1  # the device tells of no triggers


@dataclass(frozen=True)
class Installed:
    """Where the package was installed, a copy of its tests, and the folder of its devices."""

    site: Path
    tests: Path
    devices: Path

    @property
    def device(self) -> Path:
        return self.devices / "one.camera"

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=self.tests,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=240,
        )

    def environment(self) -> dict[str, str]:
        path = os.pathsep.join((str(self.site), str(REPOSITORY)))
        return {**os.environ, "PYTHONPATH": path, "SOCKETCAM_FOLDER": str(self.devices)}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    folder = tmp_path_factory.mktemp("package")
    shutil.copytree(EXAMPLE, folder / "source")
    pip = [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", "--no-build-isolation", "--target"]
    done = subprocess.run([*pip, folder / "site", folder / "source"], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    with tempfile.TemporaryDirectory(prefix="socketcam-") as devices:
        package = Installed(folder / "site", folder / "source" / "tests", Path(devices))
        command = [sys.executable, "-m", "socketcam.device", str(package.device)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=package.environment()
        ) as device:
            assert device.stdout is not None
            assert device.stdout.readline() == "ready\n"
            yield package
            device.kill()


def test_the_command_finds_the_driver_and_its_camera(installed: Installed) -> None:
    """`cameras list` shows the backend of the package and the device that its `devices()` finds."""
    done = installed.run("inspection.cli.main", "cameras", "list", "--backend", "socketcam", "--json")
    assert done.returncode == 0, done.stderr
    listed = json.loads(done.stdout)
    assert [(row["backend"], row["installed"]) for row in listed["backends"]] == [("socketcam", True)]
    assert [(one["id"], one["address"]) for one in listed["devices"]] == [("one", str(installed.device))]
    assert listed["problems"] == []


def test_the_packages_own_tests_pass(installed: Installed) -> None:
    """The contract suite that Lineward brings, in this process and in one of the driver's own, and real trouble."""
    done = installed.run("pytest", "-q", "-p", "no:cacheprovider", "-rA")
    assert done.returncode == 0, done.stdout[-5000:]
    kept = {line.partition("::")[2] for line in done.stdout.splitlines() if line.startswith("PASSED")}
    assert sum("test_camera_keeps[own-process-" in name for name in kept) == 14 - NOT_TRIED
    assert sum("test_camera_keeps[here-" in name for name in kept) == 14 - NOT_TRIED


def test_the_command_checks_the_connected_camera(installed: Installed) -> None:
    """`cameras check` on a camera of the package: every promise holds."""
    options = ("-o", "frame_rate_hz=200", "-o", "own_process=false")  # the package's own tests have one of its own
    camera = f"socketcam:{installed.device}"
    done = installed.run("inspection.cli.main", "cameras", "check", camera, *options, "--json")
    found = json.loads(done.stdout)
    assert [one for one in found["checks"] if one["problem"]] == []
    assert (done.returncode, found["ok"], len(found["checks"])) == (0, True, 14)


def test_the_page_shows_the_files_that_are_tested() -> None:
    """Each block of the page that names a file of the example is that file's text, or a part of it."""
    page = (REPOSITORY / "docs" / "add-a-camera.md").read_text("utf-8")
    shown = [block.partition("\n") for block in page.split("```")[1::2]]
    files = [(head.split()[1], body) for head, _, body in shown if len(head.split()) == 2]
    assert len(files) >= 3
    for name, body in files:
        assert body.strip() in (EXAMPLE / name).read_text("utf-8"), name

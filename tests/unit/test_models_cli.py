"""`lineward model show` and `lineward model verify`, as a person and as a script call them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_bundle import write_tiny_bundle
from typer.testing import CliRunner

from models.bundle import load_bundle
from models.cli import app
from models.errors import BundleIntegrityError, BundleNotFoundError

runner = CliRunner()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_tiny_bundle(tmp_path / "tiny", height=8, width=8)


def test_show_tells_what_the_card_says(bundle: Path) -> None:
    """Classes, threshold with its statement, rates with interval and counts, and the digest are on the screen."""
    result = runner.invoke(app, ["show", str(bundle)], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    for part in (
        "good (good), bad",
        "8×8×3 RGB8",
        "defect probability ≥ 0.5 is NOT_OK",
        "20 defects: 0 escapes still means up to 16.8 %.",
        "0.00% – 16.84% (95%)",
        "0 of 20",
        load_bundle(bundle).digest,
    ):
        assert part in result.stdout


def test_show_json_is_the_card(bundle: Path) -> None:
    """One JSON object: path, digest and the card as it lies in the bundle."""
    result = runner.invoke(app, ["show", str(bundle), "--json"])
    content = json.loads(result.stdout)
    assert content["card"] == json.loads((bundle / "card.json").read_bytes())
    assert content["digest"] == load_bundle(bundle).digest
    assert content["bundle"] == str(bundle)


def test_verify_passes_a_sound_bundle(bundle: Path) -> None:
    """Every check is a line with its measured value and limit; exit code 0."""
    result = runner.invoke(app, ["verify", str(bundle)])
    assert result.exit_code == 0
    assert result.stdout.count("✓") == 6
    assert "✗" not in result.stdout
    content = json.loads(runner.invoke(app, ["verify", str(bundle), "--json"]).stdout)
    assert content["passed"] is True
    measured = {check["name"]: check for check in content["checks"]}
    assert measured["golden"]["measured"] <= measured["golden"]["limit"] == 1e-3
    assert measured["batch_invariance"]["measured"] <= 1e-3


@pytest.mark.parametrize("name", ["model.onnx", "golden.npz", "card.json"])
def test_verify_fails_a_changed_bundle(bundle: Path, name: str) -> None:
    """A changed file is a line with ✗ and its name; exit code 1, also with --json, and nothing is executed."""
    with (bundle / name).open("ab") as file:
        file.write(b" ")
    result = runner.invoke(app, ["verify", str(bundle)])
    assert result.exit_code == 1
    assert any("✗" in line and name in line for line in result.stdout.splitlines())
    machine = runner.invoke(app, ["verify", str(bundle), "--json"])
    content = json.loads(machine.stdout)
    assert machine.exit_code == 1
    assert content["passed"] is False
    assert "graph" not in {check["name"] for check in content["checks"]}


def test_verify_fails_on_a_provider_that_is_not_there(bundle: Path) -> None:
    """A provider that this machine does not have fails the check by name."""
    result = runner.invoke(app, ["verify", str(bundle), "--provider", "NoSuchExecutionProvider"])
    assert result.exit_code == 1
    assert "✗" in result.stdout
    assert "NoSuchExecutionProvider is not available" in result.stdout


def test_errors_reach_the_command_line_with_their_exit_code(bundle: Path, tmp_path: Path) -> None:
    """A missing path ends with 2, a spoilt bundle with 1; both as our errors, for the root to print."""
    for command in ("show", "verify"):
        result = runner.invoke(app, [command, str(tmp_path / "nowhere")])
        assert isinstance(result.exception, BundleNotFoundError)
        assert result.exception.exit_code == 2
    (bundle / "model.onnx").unlink()
    result = runner.invoke(app, ["show", str(bundle)])
    assert isinstance(result.exception, BundleIntegrityError)
    assert result.exception.exit_code == 1


def test_command_module_is_cheap_to_import() -> None:
    """Loading the commands loads no array library, no runtime and nothing that trains."""
    code = (
        "import sys, models.cli\n"
        "print([name for name in ('numpy', 'cv2', 'onnxruntime', 'onnx', 'torch', 'pydantic') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert result.stdout.strip() == "[]"


def test_session_loads_no_training_stack() -> None:
    """The runtime's half of the contract is free of torch and onnx."""
    code = (
        "import sys, models.session, models.resize, models.verify, models.show, models.benchmark\n"
        "print([name for name in ('onnx', 'torch', 'torchvision', 'sklearn', 'scipy') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert result.stdout.strip() == "[]"

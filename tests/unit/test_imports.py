"""What importing the command line loads, in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys

import pytest

TRAINING_STACK = ("torch", "torchvision", "albumentations", "onnx", "sklearn", "scipy", "matplotlib")


def _loaded_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import inspection.cli",
        "import inspection.cli.main",
        "import inspection.service",
        "import training.cli, datasets.cli, models.cli",
    ],
)
def test_the_training_stack_is_never_loaded_by_the_runtime(statement: str) -> None:
    """Neither the command line, nor a whole station, nor the plugged-in commands import torch and its company."""
    assert _loaded_after(statement).isdisjoint(TRAINING_STACK)


def test_the_command_line_is_light() -> None:
    """`lineward --help` pays for no model runtime, camera library, server or page."""
    heavy = {"onnxruntime", "cv2", "grpc", "nicegui", "numpy", "pydantic"}
    assert _loaded_after("import inspection.cli.main").isdisjoint(heavy)


def test_the_ejector_process_is_light() -> None:
    """The process that must be punctual loads no numpy, no pydantic and nothing that infers."""
    heavy = {"onnxruntime", "cv2", "grpc", "nicegui", "numpy", "pydantic"}
    assert _loaded_after("import inspection.ejector.process").isdisjoint(heavy)

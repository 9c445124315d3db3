"""Fixtures that several suites share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.hookimpl(tryfirst=True)  # before the tests are given to the processes
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a module in one process, so that what they share is started once; a mark may say otherwise."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.name))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The development photographs, beside the repository; never part of it."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        message = f"no development photographs at {folder}: tests on real images are not run"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture(scope="session")
def shared_weights() -> Path:
    """The ImageNet MobileNetV2 state dict beside the repository."""
    file = REPOSITORY.parent / "shared" / "weights" / "mobilenet_v2_tv_dequant_bn_fp16.pt"
    if not file.is_file():
        message = f"no pretrained weights at {file}: tests that start from them are not run"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return file

"""Fixtures that several suites share."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from models.bundle import Bundle

REPOSITORY = Path(__file__).resolve().parents[1]
SLOWEST_FIRST = (
    "test_real_images_line.py",
    "test_page.py",
    "test_simulate_line.py",
    "test_own_process.py",
    "test_camera_contract.py",
    "test_tuning_page.py",
    "test_camera_bad_days.py",
    "test_bad_input.py",
)
"""The files that take a minute or more. Each file is one process's: begun last, all others would wait for it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the slowest files in front; all else keeps its order."""
    place = {name: number for number, name in enumerate(SLOWEST_FIRST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escape what is no UTF-8 in the captured output: a process that cannot send its report ends the whole run."""
    report = yield
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode("utf-8")) for name, text in report.sections
    ]
    return report


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium, started once for the tests of a file."""
    from chromium import chromium

    with chromium() as started:
        yield started


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


@pytest.fixture(scope="session")
def blob_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small photos with spots and holes, for trainings of seconds; whoever changes them makes a copy."""
    from blob_photos import write_blobs

    return write_blobs(tmp_path_factory.mktemp("photos"), good=60, hole=25, spot=25)


@pytest.fixture(scope="session")
def blob_bundle(blob_photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle that tells holes, spots and good parts apart without a mistake on its test images; never changed."""
    from blob_photos import train_blobs

    bundle = train_blobs(blob_photos, tmp_path_factory.mktemp("blobs") / "parts").bundle
    escape, overkill = bundle.card.metrics.escape, bundle.card.metrics.overkill
    assert escape is not None
    assert overkill is not None
    assert (escape.numerator, overkill.numerator) == (0, 0)
    return bundle

"""Fixtures that several suites share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from models.bundle import Bundle

REPOSITORY = Path(__file__).resolve().parents[1]


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

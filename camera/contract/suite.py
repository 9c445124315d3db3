"""The contract as tests of pytest: a class that a package's own test file makes its own."""

from __future__ import annotations

import pytest

from camera.contract.checks import CHECKS
from camera.contract.expecting import NotTriedError
from camera.contract.under_test import CameraUnderTest


class CameraContract:
    """One test for each check. A class below it has the fixture `camera_under_test`, with parameters where it has rows.

    `class TestMyCamera(CameraContract)` with a fixture that returns a CameraUnderTest is a whole test file.
    """

    @pytest.fixture
    def camera_under_test(self) -> CameraUnderTest:
        """Return the row; each class has its own."""
        raise NotImplementedError("give the class a fixture `camera_under_test` that returns a CameraUnderTest")

    @pytest.mark.parametrize("check", CHECKS)
    def test_camera_keeps(self, check: str, camera_under_test: CameraUnderTest) -> None:
        """The driver keeps what the check asks; skipped where nothing of the row can show it."""
        try:
            CHECKS[check](camera_under_test)
        except NotTriedError as reason:
            pytest.skip(str(reason))

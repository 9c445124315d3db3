"""What every camera driver keeps, as checks that any package can run against its own driver or a connected camera."""

from camera.contract.checks import CHECKS, Check
from camera.contract.expecting import ContractError
from camera.contract.under_test import CameraUnderTest

__all__ = ["CHECKS", "CameraUnderTest", "Check", "ContractError"]

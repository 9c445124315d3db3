"""Settings of a device of registers, under the reference GenApi, as the tuning page reads and writes them."""

from __future__ import annotations

import pytest
from register_device import Feature, RegisterDevice

from camera.errors import CameraOpenError
from inspection.tuning import settings
from inspection.tuning.errors import TuningError

FEATURES = {
    "ExposureTime": Feature("float", 5000, 10, 1_000_000),
    "ExposureAuto": Feature(("Off", "Once", "Continuous"), "Off"),
    "GainRaw": Feature("integer", 3, 0, 100),
    "BalanceRatioSelector": Feature(("Red", "Blue"), "Blue"),
    "BalanceRatio": Feature("float", 1.25, 0, 4, selector="BalanceRatioSelector"),
    "BalanceWhiteAuto": Feature(("Off", "Continuous"), "Off"),
    "PixelFormat": Feature(("Mono8", "JPEG"), "Mono8"),
    "Width": Feature("integer", 640, 16, 1280),
    "Height": Feature("integer", 480, 16, 1024),
    "UserSetSelector": Feature(("Default", "UserSet1")),
}


def test_only_what_the_device_has_is_offered() -> None:
    """Numbers with value and limits, one-shot automatics, formats that are read; reading moves no selector."""
    device = RegisterDevice(FEATURES)
    before = bytes(device.memory)
    found = settings.read(device.nodes)
    assert [(one.key, one.value, one.least, one.most) for one in found.numbers] == [
        ("exposure_us", 5000.0, 10.0, 1_000_000.0),
        ("gain", 3, 0, 100),
    ]
    assert found.once == ("ExposureAuto",)
    assert found.balance == (1.25, 1.0, 1.25)
    assert (found.pixel_formats, found.user_sets) == (("Mono8",), ("UserSet1",))
    assert (found.roi, found.sensor) == ((0, 0, 640, 480), None)
    assert bytes(device.memory) == before
    assert settings.read(None) == settings.Settings()


def test_what_is_written_is_told_as_the_device_has_it() -> None:
    """A device with steps gives back its own value, and that one goes into the file; a colour goes to its ratio."""
    device = RegisterDevice(FEATURES, {"ExposureTime": lambda _device, value: round(value / 8) * 8})
    assert settings.write(device.nodes, {"exposure_us": 4321.0, "gain": 7}, "top") == {
        "exposure_us": 4320.0,
        "gain": 7,
    }
    assert device.loaded("GainRaw") == 7
    got = settings.write(device.nodes, {"white_balance": (1.5, 1.0, 2.5)}, "top")
    assert got == {"white_balance": (1.5, 1.0, 2.5)}
    assert (device.loaded("BalanceRatio", 0), device.loaded("BalanceRatio", 1)) == (1.5, 2.5)


def test_a_value_outside_is_refused_with_the_limits() -> None:
    """The device's limits are named, and it stays as it was; what no device takes is told without asking it."""
    device = RegisterDevice(FEATURES)
    with pytest.raises(CameraOpenError, match="10 to 1000000"):
        settings.write(device.nodes, {"exposure_us": 5.0}, "top")
    assert device.loaded("ExposureTime") == 5000.0
    with pytest.raises(TuningError, match="exposure_us = 99999999999: 10 to 1000000 is possible"):
        settings.write(device.nodes, {"exposure_us": 99999999999}, "top")
    with pytest.raises(TuningError, match="exposure_us = -1: 10 to 1000000 is possible"):
        settings.write(device.nodes, {"exposure_us": -1}, "top")
    with pytest.raises(CameraOpenError, match="no feature Gamma"):
        settings.write(device.nodes, {"gamma": 0.5}, "top")


def test_an_automatic_runs_once_and_what_it_found_is_kept() -> None:
    """It is waited for until the device says Off; what it changed becomes options of the file."""
    device = RegisterDevice(FEATURES)
    once = settings.Once(device.nodes, "ExposureAuto", 60.0)
    assert device.nodes.get("ExposureAuto") == "Once"
    assert not once.has_ended(device.nodes)
    device.nodes.set("ExposureAuto", "Off")  # the device has found it
    device.nodes.set("ExposureTime", 777.0)
    ended = False
    while not ended:
        ended = once.has_ended(device.nodes)
    assert settings.outcome_of_once(settings.read(device.nodes)) == {
        "exposure_us": 777.0,
        "gain": 3,
        "white_balance": (1.25, 1.0, 1.25),
    }


def test_an_automatic_that_does_not_end_is_switched_off() -> None:
    """A station refuses what changes pictures by itself, so nothing here leaves it on."""
    device = RegisterDevice(FEATURES)
    once = settings.Once(device.nodes, "ExposureAuto", 0.0)
    assert once.has_ended(device.nodes)
    assert device.nodes.get("ExposureAuto") == "Off"

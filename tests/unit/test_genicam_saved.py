"""Settings of a device go to a text and back, and chunks come under names that say their unit."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pylon_map import emulated_camera
from register_device import Feature, RegisterDevice

from camera.errors import CameraOpenError, CameraOptionsError
from camera.genicam.chunks import read_chunks
from camera.genicam.saved import Saved, read_saved, restore_features, save_features, write_saved

FEATURES = {
    "ExposureTime": Feature("float", 100, 1, 1e7),
    "Width": Feature("integer", 64, 16, 4096, step=16),
    "OffsetX": Feature("integer", 0, 0, 4096),
    "PixelFormat": Feature(("Mono8", "Mono12p")),
    "ReverseX": Feature("boolean"),
    "GainSelector": Feature(("All", "Red")),
    "Gain": Feature("float", 0, 0, 48, selector="GainSelector"),
    "CounterSelector": Feature("integer", 1, 1, 3),
    "CounterDuration": Feature("integer", 0, selector="CounterSelector"),
    "DeviceTemperature": Feature("float", access="RO"),
    "GevCurrentIPAddress": Feature("integer", 0, most=1 << 33),
    "AcquisitionStart": Feature("command"),
}


def test_an_emulated_camera_is_what_it_was_saved_as(tmp_path: Path) -> None:
    """The text of one camera, read again, makes another one the same, and changes no selector."""
    with emulated_camera() as nodes:
        nodes.set("Width", 800)
        nodes.set("OffsetX", 100)
        nodes.set("ExposureTime", 1235.0)
        nodes.set("LineSelector", "Line2")
        nodes.set("LineInverter", True)
        saved = save_features(nodes)
        assert nodes.get("LineSelector") == "Line2"
        write_saved(saved, tmp_path / "top.toml")
    text = (tmp_path / "top.toml").read_text(encoding="utf-8")
    assert "ExposureTime = 1235.0\n" in text
    assert '[selected.LineSelector."Line2"]\nLineInverter = true\n' in text
    assert "Gev" not in text
    assert "DeviceUserID" not in text
    with emulated_camera() as nodes:
        nodes.set("Width", 4096)
        assert save_features(nodes) != saved
        restore_features(nodes, read_saved(tmp_path / "top.toml"), "top")
        assert save_features(nodes) == saved


@settings(max_examples=40, deadline=None)
@given(
    st.floats(1, 1e7),
    st.integers(1, 256),
    st.integers(0, 4096),
    st.booleans(),
    st.lists(st.floats(0, 48), min_size=2, max_size=2),
    st.lists(st.integers(0, 1_000_000), min_size=3, max_size=3),
)
def test_any_settings_come_back(
    tmp_path_factory: pytest.TempPathFactory,
    exposure: float,
    width: int,
    offset: int,
    reverse: bool,
    gains: list[float],
    durations: list[int],
) -> None:
    """Whatever the values are, they are read from the text as they were; addresses and commands are left alone."""
    device = RegisterDevice(FEATURES)
    device.store("ExposureTime", exposure)
    device.store("Width", width * 16)
    device.store("OffsetX", offset)
    device.store("ReverseX", reverse)
    for at, gain in enumerate(gains):
        device.store("Gain", gain, at)
    for at, duration in enumerate(durations, start=1):
        device.store("CounterDuration", duration, at)
    path = tmp_path_factory.mktemp("saved") / "top.toml"
    saved = save_features(device.nodes)
    assert saved.selected["CounterSelector"] == {
        str(at): {"CounterDuration": duration} for at, duration in enumerate(durations, start=1)
    }
    write_saved(saved, path)
    assert read_saved(path) == saved
    other = RegisterDevice(FEATURES)
    other.store("GevCurrentIPAddress", 42)
    restore_features(other.nodes, read_saved(path), "top")
    assert save_features(other.nodes) == saved
    assert other.loaded("GevCurrentIPAddress") == 42
    assert other.loaded("AcquisitionStart") == 0


def test_what_another_device_cannot_be_is_told() -> None:
    """All that differs is listed, and the rest is restored."""
    saved = Saved({"ExposureTime": 5.0, "Iris": 3, "Width": 17}, {"GainSelector": {"Blue": {"Gain": 1.0}}})
    device = RegisterDevice(FEATURES)
    with pytest.raises(CameraOpenError, match="3 settings") as caught:
        restore_features(device.nodes, saved, "top")
    for part in ("Iris = 3: the device has no feature Iris", "Width = 17", "Blue"):
        assert part in str(caught.value)
    assert device.loaded("ExposureTime") == 5


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[features", "end of a table"),
        ("[features]\nA = [1]\n", r"A = \[1\]"),
        ("[selected.LineSelector]\nLine1 = 3\n", "other than"),
        ("[other]\nA = 1\n", "other than"),
        ("features = 3\n", "other than"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str, wrong: str) -> None:
    """The message names the file and what is wrong with it."""
    path = tmp_path / "top.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CameraOptionsError, match=wrong) as caught:
        read_saved(path)
    assert str(path) in str(caught.value)
    with pytest.raises(CameraOptionsError, match=r"absent\.toml"):
        read_saved(tmp_path / "absent.toml")


def test_chunks_come_by_what_they_are() -> None:
    """Ticks become nanoseconds, names of several makers one; what the buffer does not hold is left out."""
    device = RegisterDevice(
        {
            "ChunkTimestamp": Feature("integer", 250_000_000, most=1 << 60, access="RO"),
            "ChunkFramecounter": Feature("integer", 17, access="RO"),
            "ChunkExposureTime": Feature("float", 99.5, access="RO"),
            "ChunkEncoderValue": Feature("integer", 3, access="WO"),
        }
    )
    everything = ("timestamp", "counter", "encoder", "exposure")
    found = read_chunks(device.nodes, everything, tick_hz=125_000_000)
    assert found == {"timestamp_device_ns": 2_000_000_000, "counter": 17, "exposure_us": 99.5}
    assert read_chunks(device.nodes, ("timestamp",)) == {"timestamp_device_ns": 250_000_000}

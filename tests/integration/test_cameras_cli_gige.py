"""`lineward cameras` against a GigE Vision camera that speaks the real protocol on loopback."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from cameras_command import as_json, cameras
from gige import FakeProcess, network

from camera.frame import Frame
from camera.raw_playback import RawRecording
from camera.replay import Options, ReplayCamera

SERIAL = "CLI7"
BOUND_S = 30.0


@pytest.fixture(scope="module")
def gige_camera() -> Iterator[str]:
    """One camera for all of them, as on a bench."""
    with network(), FakeProcess(SERIAL, "--interface", "127.0.0.1", "--user-name", "bench", "--size", "320x240"):
        yield "aravis:127.0.0.1"  # by its address nobody has to search


def values(camera: str) -> dict[str, object]:
    found = as_json("show", camera, "--all", "-o", "own_process=false")
    return {node["name"]: node["value"] for node in found["features"]}


def test_it_is_found_by_serial_number_and_user_name(gige_camera: str) -> None:
    """The list names it as a command takes it; a bare user name leads to the one backend that finds it."""
    found = as_json("list", "--backend", "aravis")["devices"]
    assert [(one["serial"], one["user_name"], one["address"], one["state"]) for one in found] == [
        (SERIAL, "bench", "127.0.0.1", "free")
    ]
    assert as_json("show", "bench", "--filter", "Width")["model"] == "Fake"
    code, text = cameras("show", "CLI8")
    assert (code, f"aravis:{SERIAL}  Aravis Fake bench 127.0.0.1 (free)" in text) == (2, True)


def test_a_feature_is_set_and_read_back(gige_camera: str) -> None:
    """Before and after are told, the device keeps it, and looking at the device changes nothing."""
    code, text = cameras("set", gige_camera, "ExposureTime=4321", "TriggerMode=On", "Gain=6")
    assert code == 0
    assert "TriggerMode: Off → On" in text
    kept = values(gige_camera)
    assert (kept["ExposureTime"], kept["TriggerMode"], kept["Gain"]) == (4321.0, "On", 6.0)
    found = as_json("set", gige_camera, "TriggerMode=Off")
    assert [(one["before"], one["after"], one["problem"]) for one in found["changes"]] == [("On", "Off", "")]


def test_bad_values_are_told_together_before_anything_is_written(gige_camera: str) -> None:
    """A misspelt name, no number, no entry, a command with a value: all in one answer; a limit is the device's."""
    code, text = cameras(
        "set", gige_camera, "Gain=7.5", "ExposureTim=1", "Width=x", "TriggerMode=Maybe", "TriggerSoftware=1", "Height"
    )
    assert (code, "5 problem(s)" in text) == (2, True)
    assert "did you mean ExposureTime?" in text
    assert "is no entry (Off, On)" in text
    code, text = cameras("set", gige_camera, "ExposureTime=1")
    assert (code, "wanted 1" in text) == (1, True)
    assert values(gige_camera)["Gain"] != 7.5
    code, text = cameras("set", gige_camera, "DeviceVendorName=x")
    assert (code, "DeviceVendorName = 'x': it is read-only" in text) == (1, True)


def test_settings_are_saved_to_a_file_and_brought_back(gige_camera: str, tmp_path: Path) -> None:
    """What `show --save-to` wrote, `set --from` restores after other values were set."""
    file = tmp_path / "camera.toml"
    assert cameras("show", gige_camera, "--save-to", file)[0] == 0
    saved = tomllib.loads(file.read_text())["features"]
    assert cameras("set", gige_camera, "ExposureTime=9000", "Width=256")[0] == 0
    assert as_json("set", gige_camera, "--from", file)["restored"] > 0
    (tmp_path / "empty.toml").write_text("")
    code, text = cameras("set", gige_camera, "--from", tmp_path / "empty.toml")
    assert (code, "0 settings stand as they were saved" in text) == (0, True)
    kept = values(gige_camera)
    assert (kept["ExposureTime"], kept["Width"]) == (saved["ExposureTime"], saved["Width"]) != (9000.0, 256)


def test_a_snapshot_keeps_16_bits(gige_camera: str, tmp_path: Path) -> None:
    """A Mono16 picture is a PNG of 16 bits with the camera's values."""
    found = as_json("snapshot", gige_camera, tmp_path / "a.png", "-o", "pixel_format=Mono16")
    read = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)
    assert (read.dtype, read.shape) == (np.uint16, (found["height"], found["width"]))
    assert (found["bits"], found["pixel_format"]) == (16, "Mono16")
    assert found["mean"] == pytest.approx(float(read.mean()))


def test_a_recording_is_replayed_as_the_camera_was(gige_camera: str, tmp_path: Path) -> None:
    """Every frame's bytes, format, gaps and device times, recorded from the wire, come back from `replay`."""
    found = as_json("record", gige_camera, tmp_path / "r", "--frames", "40", "-o", "frame_rate_hz=100")
    assert (found["frames"], found["unrecorded"]) == (40, 0)
    recording = RawRecording(tmp_path / "r")
    assert recording.ending == ""
    assert recording.header.about["DeviceSerialNumber"] == SERIAL
    replay = ReplayCamera("again", Options(path=tmp_path / "r"))
    came = []
    with replay:
        replay.start()
        while not replay.exhausted:
            if (exposure := replay.grab(None, BOUND_S)) is not None:
                came.append(exposure)
    first, base = recording.exposures[0], came[0]
    assert len(came) == len(recording.exposures)
    for one, was in zip(came, recording.exposures, strict=True):
        assert one.counter - base.counter == was.counter - first.counter
        assert one.lost_before == was.lost_before
        assert None not in (one.device_ns, base.device_ns, was.device_ns, first.device_ns)
        assert (one.device_ns or 0) - (base.device_ns or 0) == (was.device_ns or 0) - (first.device_ns or 0)
        if isinstance(one, Frame):
            place = one.counter - 1
            pixels = recording.read(place)
            assert pixels is not None
            assert (one.pixel_format, one.pixels.tobytes()) == (was.pixel_format, pixels.tobytes())
    recording.close()

"""The table of backends: found by name, loaded when asked for, refused with the known ones listed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from camera import CameraOptionsError, discover, make_camera, options_model
from camera.backends import BACKENDS, Backend


def test_an_unknown_backend_names_the_known_ones() -> None:
    """A misspelt backend is refused with the list of those that exist."""
    for ask in (lambda: make_camera("replai", "top", {}), lambda: options_model("replai")):
        with pytest.raises(
            CameraOptionsError,
            match=r"'replai' is unknown; known are aravis, conveyor, genicam, pylon, replay, rtsp, simulated, uvc",
        ):
            ask()


def test_every_row_leads_to_a_camera_and_bounded_options() -> None:
    """Each row names an existing class; its options refuse unknown keys and describe each field."""
    for name in BACKENDS:
        model = options_model(name)
        assert model.model_config["extra"] == "forbid"
        assert model.model_config["frozen"] is True
        assert all(field.description for field in model.model_fields.values())


def test_discovery_lists_every_backend() -> None:
    """Both backends that need no hardware are always there."""
    found = {row.backend: row for row in discover()}
    assert set(found) == set(BACKENDS)
    assert found["replay"].installed
    assert found["simulated"].installed
    assert found["replay"].hint == ""


def test_a_missing_library_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row whose library is not installed says which module is missing and how to install it."""
    row = Backend("far", "camera_of_a_vendor_that_is_not_here", "Far", "", "camera_of_a_vendor_that_is_not_here", "far")
    monkeypatch.setitem(BACKENDS, "far", row)
    with pytest.raises(CameraOptionsError, match=r"camera_of_a_vendor_that_is_not_here.*pip install 'lineward\[far\]'"):
        make_camera("far", "top", {})
    assert [found.hint for found in discover() if found.backend == "far"] == [
        "install it with: pip install 'lineward[far]'"
    ]


def test_a_simulated_camera_needs_a_scene() -> None:
    """Without something to look at there is no simulated camera."""
    with pytest.raises(CameraOptionsError, match="scene"):
        make_camera("simulated", "top", {})


def test_a_missing_option_is_named() -> None:
    """A replay without a path says which key is missing."""
    with pytest.raises(CameraOptionsError, match=r"path: is missing"):
        make_camera("replay", "top", {"rate_hz": 5})


def test_the_package_loads_no_backend() -> None:
    """Importing the package imports no driver and no image library."""
    code = "import sys, camera; print([m for m in ('cv2', 'camera.replay', 'camera.simulated') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"

"""Plug-ins by entry point, and searches for devices that hang or crash and disturb nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest
from plugin_package import install_plugin

from camera import CameraOpenError, CameraOptionsError, discover, make_camera
from camera.backends import BACKENDS, backend_row
from camera.choice import the_one
from camera.device import Device
from camera.discovery import find_devices
from camera.errors import Cause


@pytest.fixture
def troubled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a package with a driver."""
    install_plugin(tmp_path, monkeypatch, "troubled", troubled="troubled_camera:BACKEND")


def test_a_plugin_is_a_backend_like_ours(troubled: None) -> None:
    """It is found by its name, listed, and named among the known ones; options are checked before anything starts."""
    assert backend_row("troubled").camera_class == "TroubledCamera"
    assert [row.installed for row in discover() if row.backend == "troubled"] == [True]
    with pytest.raises(CameraOptionsError, match=r"simulated, troubled"):
        make_camera("trubled", "top", {})
    with pytest.raises(CameraOptionsError, match=r"watchdog_s = 0: "):
        make_camera("troubled", "top", {"watchdog_s": 0})
    camera = make_camera("troubled", "top", {"own_process": False})
    assert type(camera).__name__ == "TroubledCamera"


def test_broken_plugins_are_named_and_disturb_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that cannot be imported, one that is no row, one called like ours, and two of one name."""
    install_plugin(tmp_path, monkeypatch, "absent", absent="a_module_that_is_not_there:ROW")
    install_plugin(tmp_path, monkeypatch, "wrong", wrong="troubled_camera:NO_BACKEND")
    install_plugin(tmp_path, monkeypatch, "taken", replay2="troubled_camera:LIKE_OURS")
    install_plugin(tmp_path, monkeypatch, "good", a="troubled_camera:BACKEND", b="troubled_camera:BACKEND")
    found = {row.backend: row for row in discover()}
    assert set(found) == {*BACKENDS, "absent", "wrong", "replay2", "troubled", "b"}
    assert "package 'absent' cannot be loaded: ModuleNotFoundError" in found["absent"].summary
    assert "gives type, not a camera.backends.Backend" in found["wrong"].summary
    assert "'replay' is called like one of Lineward's own" in found["replay2"].summary
    assert "called like another package's" in found["b"].summary
    assert not any(found[name].installed for name in ("absent", "wrong", "replay2", "b"))
    assert backend_row("replay").module == "camera.replay"
    assert backend_row("troubled").module == "troubled_camera"
    with pytest.raises(CameraOptionsError, match=r"'absent' .* cannot be loaded.*mend or remove the package"):
        backend_row("absent")


@pytest.mark.parametrize(
    ("trouble", "problem"),
    [
        ("none", None),
        ("raise", "ZeroDivisionError"),
        ("segfault", "SIGSEGV"),
        ("hang", "did not return within 3 s"),
        ("hang_with_lock", "did not return within 3 s"),
    ],
)
def test_a_search_that_goes_wrong_is_told_of(
    troubled: None, monkeypatch: pytest.MonkeyPatch, trouble: str, problem: str | None
) -> None:
    """Devices come with what they are; a search that hangs or crashes ends with a text, in bounded time."""
    monkeypatch.setenv("TROUBLED_SEARCH", trouble)
    devices, problems = find_devices(["troubled"], timeout_s=3.0 if trouble.startswith("hang") else 30.0)
    if problem is None:
        assert problems == []
        assert [device.id for device in devices] == ["A1", "A2"]
    else:
        assert devices == []
        assert len(problems) == 1
        assert "backend 'troubled'" in problems[0]
        assert problem in problems[0]


def test_a_search_for_what_is_not_there_says_so(troubled: None) -> None:
    """Backends that have no devices, or that nobody knows, are named."""
    devices, problems = find_devices(["replay", "trubled"])
    assert devices == []
    assert problems == [
        "backend 'replay': is unknown, or has no devices",
        "backend 'trubled': is unknown, or has no devices",
    ]


SEEN = [
    Device("aravis", "Acme-1", "Acme", "Eye", "1001", "top", "10.0.0.1", "free"),
    Device("aravis", "Acme-2", "Acme", "Eye", "1002", "top", "10.0.0.2", "held"),
    Device("uvc", "/dev/video0", state="free"),
]


def _of(backend: str) -> list[Device]:
    return [device for device in SEEN if device.backend == backend]


@pytest.mark.parametrize(
    ("wanted", "backend", "place"), [("1002", "aravis", 1), ("10.0.0.1", "aravis", 0), ("", "uvc", 2)]
)
def test_exactly_one_device_answers(wanted: str, backend: str, place: int) -> None:
    """By serial number, by address, or because it is the only one."""
    assert the_one("top", _of(backend), wanted) is SEEN[place]


@pytest.mark.parametrize(
    ("wanted", "backend", "text", "cause"),
    [
        (
            "top",
            "aravis",
            r"2 cameras answer to 'top'.*Acme Eye 1001 'top' at 10.0.0.1; .*1002.*\(held\)",
            Cause.REFUSED,
        ),
        ("", "aravis", "camera 'top': 2 cameras answer — there", Cause.REFUSED),
        ("1003", "aravis", "no camera answers to '1003'.*1001", Cause.ABSENT),
        ("", "pylon", "no camera answers — there are: none", Cause.ABSENT),
    ],
)
def test_none_or_several_are_refused_with_what_is_there(wanted: str, backend: str, text: str, cause: Cause) -> None:
    """The error lists the devices and says what to do."""
    with pytest.raises(CameraOpenError, match=text) as caught:
        the_one("top", _of(backend), wanted)
    assert caught.value.cause is cause

"""The rows of the camera contract that are all software: the belt, the conveyor, replays, and a driver elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
from plugin_package import install_plugin

from camera.contract import CameraUnderTest
from camera.frame import Frame, Pixels
from camera.raw_recording import RawRecordingWriter

PARTS = 12
SIZE = (48, 64)
NAMES = (
    "simulated",
    "simulated-handshake",
    "folder",
    "folder-handshake",
    "folder-preloaded",
    "video",
    "recording",
    "conveyor",
    "own-process",
)
BELT: Mapping[str, object] = {
    "parts": PARTS,
    "pitch_mm": 5.0,
    "jitter_mm": 1.0,
    "speed_mm_s": 1000.0,
    "readout_ms": 0.5,
}
FAR: Mapping[str, object] = {"pitch_mm": 10_000.0, "speed_mm_s": 1.0}


class NumberedParts:
    """A scene whose pictures tell which part they show: a grey level per part."""

    def render(self, part: int) -> Pixels:
        return np.full((*SIZE, 3), level(part), np.uint8)

    def truth(self, part: int) -> str:
        return "good" if part % 3 else "scratch"


def level(part: int) -> int:
    return 15 * ((part - 1) % 16) + 7


def software_row(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> CameraUnderTest:
    """Return the row of a backend that is all software."""
    match name:
        case "simulated":
            return belt("simulated", commanded={**BELT, "trigger": "software"}, endless={"parts": None})
        case "simulated-handshake":
            return belt("simulated", options={**BELT, "paced": False}, slow=None, handshake=True)
        case "own-process":
            install_plugin(folder, monkeypatch, "belted", belted="belted_camera:BACKEND")
            commanded = {**BELT, "trigger": "software"}
            return belt("belted", commanded=commanded, endless={"parts": None}, restarted={"per_start": 3})
        case "conveyor":
            return conveyor()
        case "recording":
            return replay({"path": write_recording(folder / "recording")})
        case "video":
            return replay({"path": write_video(folder / "v.mp4")}, shape=(*SIZE, 3), pixel_format="RGB8")
    images = write_folder(folder / "images")
    if name == "folder-handshake":
        return replay({"path": images, "rate_hz": 0}, slow=None, handshake=True)
    own: dict[str, object] = {"path": images, "preload": name == "folder-preloaded"}
    commanded = {**own, "trigger": "software"}
    return replay({**own, "rate_hz": 200.0}, commanded=commanded, endless={"loop": True})


def belt(
    backend: str,
    options: Mapping[str, object] = BELT,
    slow: Mapping[str, object] | None = FAR,
    commanded: Mapping[str, object] | None = None,
    endless: Mapping[str, object] | None = None,
    restarted: Mapping[str, object] | None = None,
    handshake: bool = False,
) -> CameraUnderTest:
    return CameraUnderTest(
        backend,
        options,
        slow=slow,
        commanded=commanded,
        endless=endless or {},
        restarted=restarted or {},
        free_running=False,
        finite=True,
        handshake=handshake,
        device_clock=False,
        shape=(*SIZE, 3),
        pixel_format="RGB8",
        grey_of=level,
        scene=NumberedParts(),
        parts=PARTS,
    )


def conveyor() -> CameraUnderTest:
    """One frame per millisecond; the part leaves the picture with frame 12."""
    moving = {"width": 64, "height": 48, "mm_per_px": 1.0, "speed_mm_s": 10_000.0, "frame_rate_hz": 1_000.0}
    lying = {"parts": 1, "length_mm": 20.0, "pitch_mm": 22.0, "jitter_mm": 0.0}
    return CameraUnderTest(
        "conveyor",
        {**moving, **lying},
        slow={"frame_rate_hz": 1e-4},
        finite=True,
        device_clock=False,
        shape=(*SIZE, 3),
        pixel_format="RGB8",
        scene=NumberedParts(),
        parts=PARTS,
    )


def replay(
    options: Mapping[str, object],
    slow: Mapping[str, object] | None = {"rate_hz": 1e-4},
    commanded: Mapping[str, object] | None = None,
    endless: Mapping[str, object] | None = None,
    handshake: bool = False,
    shape: tuple[int, ...] = SIZE,
    pixel_format: str = "Mono8",
) -> CameraUnderTest:
    return CameraUnderTest(
        "replay",
        options,
        slow=slow,
        commanded=commanded,
        endless=endless or {},
        free_running=False,
        finite=True,
        handshake=handshake,
        device_clock=False,
        shape=shape,
        pixel_format=pixel_format,
        grey_of=level,
        parts=PARTS,
    )


def write_folder(folder: Path) -> Path:
    folder.mkdir()
    for part in range(1, PARTS + 1):
        assert cv2.imwrite(str(folder / f"part_{part}.png"), np.full(SIZE, level(part), np.uint8))
    return folder


def write_video(file: Path) -> Path:
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"mp4v"), 200.0, (64, 48))
    assert writer.isOpened()
    for part in range(1, PARTS + 1):
        writer.write(np.full((*SIZE, 3), level(part), np.uint8))
    writer.release()
    return file


def write_recording(folder: Path) -> Path:
    writer = RawRecordingWriter(folder, {}, 0)
    for part in range(1, PARTS + 1):
        pixels, at_ns = np.full(SIZE, level(part), np.uint8), part * 5_000_000
        writer.write(Frame("top", part, at_ns, at_ns, 0, "Mono8", pixels))
    writer.close("complete")
    return folder

"""One picture of one camera, for whoever sets a station up: the line neither waits for it nor judges another frame."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from threading import Lock

import cv2

from camera.errors import CameraError
from camera.frame import BrokenFrame, Frame
from camera.pixels import image_of
from inspection.camera_loop import CameraLoop
from inspection.control import NoPictureError, NoSuchCameraError, Snapshot

_WAIT_S = 5.0
_STEP_S = 0.2


def take_snapshot(lines: Sequence[CameraLoop], camera: str, starting: Lock, *, runs: bool) -> Snapshot:
    """Return a picture of a camera, '' for the first, within 5 s; from any thread.

    starting: held while a camera of a standing line makes a picture, so that the line does not start meanwhile.
    Raises NoSuchCameraError, NoPictureError.
    """
    loop = next((one for one in lines if camera in ("", one.camera.name)), None)
    if loop is None:
        names = ", ".join(one.camera.name for one in lines)
        raise NoSuchCameraError(f"there is no camera {camera[:70]!r} — {names} are there — name one of those")
    if loop.lost:
        raise NoPictureError(f"camera {loop.camera.name!r} is lost — look at ListCameras for the cause")
    frame = loop.next_frame(_WAIT_S) if runs else _made_now(loop, starting)
    if frame is None:
        raise NoPictureError(
            f"camera {loop.camera.name!r} gave no picture within {_WAIT_S:g} s — nothing triggers it — trigger it, "
            "or start the line"
        )
    return _encoded(frame)


def _made_now(loop: CameraLoop, starting: Lock) -> Frame | None:
    camera = loop.camera
    until_host_ns = time.monotonic_ns() + round(_WAIT_S * 1e9)
    with starting:
        try:
            camera.start()
            try:
                while time.monotonic_ns() < until_host_ns:
                    if camera.takes_software_trigger:
                        camera.trigger()
                    frame = camera.grab(None, _STEP_S)
                    if frame is not None and not isinstance(frame, BrokenFrame):
                        return frame
            finally:
                with contextlib.suppress(CameraError):
                    camera.stop()
        except CameraError as error:
            raise NoPictureError(f"camera {camera.name!r} makes no picture now: {error}") from error
    return None


def _encoded(frame: Frame) -> Snapshot:
    image = image_of(frame.pixels, frame.pixel_format)
    shown = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, png = cv2.imencode(".png", shown, (cv2.IMWRITE_PNG_COMPRESSION, 1))
    age_ms = (time.monotonic_ns() - frame.received_host_ns) // 1_000_000
    return Snapshot(png.tobytes(), image.shape[1], image.shape[0], frame.pixel_format, age_ms)

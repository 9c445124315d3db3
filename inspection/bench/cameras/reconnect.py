"""How long the station takes to notice each kind of loss of a camera, and to have pictures again once it is there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from camera.backends import BACKENDS, is_installed
from camera.errors import CameraOpenError
from camera.interface import Camera
from camera.own_process.camera import IsolatedCamera
from inspection.bench.cameras import networks
from inspection.bench.cameras.counterparts import GIGE, PYLON, Counterpart, FakeGige
from inspection.bench.cameras.station_side import StationSide

Say = Callable[[str], None]
_SIZE = (512, 512)
_RATE_HZ = 25.0
_STOPPED_S = 8.0
_BOUND_S = 90.0


def run(*, own_network: bool, say: Say) -> list[dict[str, Any]]:
    """Cause each loss once. noticed_s: from the loss; back_s: from being there again to the first whole picture.

    own_network: whether this thread has one, so that its cable can be pulled.
    """
    lines = []
    cases: list[tuple[str, Callable[[], tuple[float, float, str]]]] = []
    if is_installed(BACKENDS["aravis"]):
        cases += [
            ("camera without power, and on again", _power),
            ("camera halted for 8 s", _halted),
            ("driver's process crashed", lambda: driver(signal.SIGSEGV)),
            ("driver's process hung", lambda: driver(signal.SIGSTOP)),
            ("held by another program, let go", _held),
        ]
        if own_network:
            cases.append(("cable pulled for 8 s, plugged in again", _pulled))
    if is_installed(BACKENDS["pylon"]):
        cases.append(("pylon: idle device gone, and there again", _vanished))
    for name, cause in cases:
        noticed_s, back_s, why = cause()
        say(f"{name}: noticed after {noticed_s:.2f} s ({why}), back after {back_s:.2f} s")
        lines.append({"loss": name, "noticed_s": round(noticed_s, 2), "back_s": round(back_s, 2), "cause": why})
    return lines


def _small(**options: object) -> Counterpart:
    width, height = _SIZE
    small = GIGE.at(_RATE_HZ)
    return Counterpart(
        small.name, small.backend, small.options | {"roi": (0, 0, width, height), **options}, small.bare, width, height,
        _RATE_HZ,
    )  # fmt: skip


class _Running:
    """A camera that the station grabs from, and its fake at the other end."""

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self.side = StationSide(camera)

    def __enter__(self) -> StationSide:
        self.camera.open()
        self.side.start()
        self.side.wait("the first picture", lambda: self.side.frames > 0, _BOUND_S)
        return self.side

    def __exit__(self, *_: object) -> None:
        self.side.stop()
        self.camera.close()


def _power() -> tuple[float, float, str]:
    fake = FakeGige(_SIZE)
    try:
        with _Running(_small().camera()) as side:
            lost_host_ns = time.monotonic_ns()
            fake.end()
            _wait_lost(side)
            fake.begin()
            return _times(side, lost_host_ns, time.monotonic_ns())
    finally:
        fake.end()


def _halted() -> tuple[float, float, str]:
    fake = FakeGige(_SIZE)
    try:
        with _Running(_small().camera()) as side:
            lost_host_ns = time.monotonic_ns()
            fake.process.send_signal(signal.SIGSTOP)
            time.sleep(_STOPPED_S)
            fake.process.send_signal(signal.SIGCONT)
            return _times(side, lost_host_ns, time.monotonic_ns())
    finally:
        fake.end()


def driver(number: signal.Signals) -> tuple[float, float, str]:
    """Send a signal to the driver's process: SIGSEGV crashes it, SIGSTOP hangs it. Returns what `run` tells."""
    fake = FakeGige(_SIZE)
    try:
        with _Running(_small().camera()) as side:
            assert isinstance(side.camera, IsolatedCamera)
            assert side.camera.process_id is not None
            lost_host_ns = time.monotonic_ns()
            os.kill(side.camera.process_id, number)
            _wait_lost(side)
            return _times(side, lost_host_ns, side.lost_host_ns)
    finally:
        fake.end()


def _held() -> tuple[float, float, str]:
    """Open it while another program has it, as often as the station does; the first refusal is the notice."""
    fake, counterpart = FakeGige(_SIZE), _small()
    command = [sys.executable, "-m", "inspection.bench.cameras.bare_aravis"]
    asked = json.dumps(
        {"device": counterpart.options["device"], "width": 512, "height": 512, "rate_hz": _RATE_HZ, "hold": True}
    )
    holder = subprocess.Popen([*command, asked], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        camera = counterpart.camera()
        began_host_ns = time.monotonic_ns()
        why = _refusal(camera)
        noticed_s = (time.monotonic_ns() - began_host_ns) / 1e9
        holder.communicate("")
        free_host_ns = time.monotonic_ns()
        while _refusal(camera):
            time.sleep(0.2)
        camera.close()
        with _Running(camera) as side:
            return noticed_s, (side.last_host_ns - free_host_ns) / 1e9, why
    finally:
        holder.kill()
        holder.wait()
        fake.end()


def _refusal(camera: Camera) -> str:
    try:
        camera.open()
    except CameraOpenError as error:
        camera.close()
        return error.cause.name
    return ""


def _pulled() -> tuple[float, float, str]:
    with networks.cable() as far:
        fake = FakeGige(_SIZE, networks.CAMERA, far)
        try:
            with _Running(_small(device=networks.CAMERA, packet_size=0, packet_socket="auto").camera()) as side:
                lost_host_ns = time.monotonic_ns()
                networks.ip("link set lwcable down")
                time.sleep(_STOPPED_S)
                networks.ip("link set lwcable up")
                return _times(side, lost_host_ns, time.monotonic_ns())
        finally:
            fake.end()


def _vanished() -> tuple[float, float, str]:
    """Take the emulated device away, in this process: only its environment says that it is there."""
    options = PYLON.options | {"trigger": "software", "own_process": False, "roi": (0, 0, *_SIZE)}
    asking = Counterpart(PYLON.name, PYLON.backend, options, PYLON.bare, *_SIZE, 0.0)
    os.environ["PYLON_CAMEMU"] = "1"
    camera = asking.camera()
    camera.open()
    side = StationSide(camera)
    side.start()
    try:
        _ask(side)
        lost_host_ns = time.monotonic_ns()
        os.environ["PYLON_CAMEMU"] = "0"
        _wait_lost(side)
        os.environ["PYLON_CAMEMU"] = "1"
        there_host_ns = time.monotonic_ns()
        side.wait("the device", lambda: side.back_host_ns > there_host_ns, _BOUND_S)
        _ask(side)
        return _times(side, lost_host_ns, there_host_ns)
    finally:
        side.stop()
        camera.close()
        del os.environ["PYLON_CAMEMU"]


def _ask(side: StationSide) -> None:
    before = side.frames
    while side.camera.trigger() is None:
        time.sleep(0.01)
    side.wait("the picture that was asked for", lambda: side.frames > before, _BOUND_S)


def _wait_lost(side: StationSide) -> None:
    side.wait("the notice of the loss", lambda: side.lost_host_ns > 0, _BOUND_S)


def _times(side: StationSide, lost_host_ns: int, there_host_ns: int) -> tuple[float, float, str]:
    """Return what `run` tells, once pictures come again after they ceased."""
    _wait_lost(side)
    side.wait("the camera", lambda: side.back_host_ns > side.lost_host_ns, _BOUND_S)
    side.wait("a picture", lambda: side.first_after_host_ns > 0, _BOUND_S)
    why = "" if side.why is None else side.why.cause.name
    return (side.lost_host_ns - lost_host_ns) / 1e9, max(0, side.first_after_host_ns - there_host_ns) / 1e9, why

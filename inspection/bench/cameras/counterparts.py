"""The real counterparts that a machine has without a camera, and how each is opened by us and by its bare loop."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from camera.backends import BACKENDS, is_installed, make_camera
from camera.interface import Camera

_PRODUCER = Path(__file__).resolve().parents[3] / ".venv" / "producers" / "TLSimu.cti"  # scripts/test-producers
_SERIAL = "LWBENCH"
_FAST_HZ = (1000.0, 500.0, 250.0, 100.0)  # unbounded, the emulation itself fails after some seconds
_WAIT_S = 60.0


class FakeGige:
    """One GigE Vision camera without hardware, in a process of its own."""

    def __init__(self, size: tuple[int, int], interface: str = "127.0.0.1", namespace: str = "") -> None:
        width, height = size
        self._command = [sys.executable, "-m", "camera.aravis.fake", "--serial", _SERIAL]
        self._command += ["--size", f"{width}x{height}", "--interface", interface]
        if namespace:
            self._command = ["ip", "netns", "exec", namespace, *self._command]
        self.begin()

    def begin(self) -> None:
        """Begin its process and wait until it answers. Raises RuntimeError."""
        self.process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith("ready"):
            self.end()
            raise RuntimeError(f"the camera without hardware did not start: {line!r}; look with `ss -lunp`")

    def end(self) -> None:
        """End it at once, as by a cut of its power."""
        self.process.kill()
        self.process.wait(_WAIT_S)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


@dataclass(frozen=True, slots=True)
class Counterpart:
    """One camera and its settings. rate_hz: what it is asked for; 0 where it has no such setting, or goes as it can."""

    name: str
    backend: str
    options: dict[str, Any]
    bare: str
    width: int
    height: int
    rate_hz: float
    most_hz: tuple[float, ...] = ()  # rates to try for one that the bare loop sustains, the highest first

    def at(self, rate_hz: float) -> Counterpart:
        """Return it with another rate."""
        asked: dict[str, Any] = {"frame_rate_hz": rate_hz}
        if self.backend == "pylon":  # the emulation knows ExposureTime, too, and goes by the older one alone
            asked["features"] = {"ExposureTimeAbs": 100.0, "AcquisitionFrameRateAbs": rate_hz}
        return replace(self, rate_hz=rate_hz, options=self.options | asked)

    def camera(self) -> Camera:
        """Make our camera of it, not yet open."""
        return make_camera(self.backend, "bench", self.options)

    def run_bare(self, seconds: float, **more: object) -> dict[str, Any]:
        """Run the bare loop of its SDK in a process of its own and return what it counted. Raises RuntimeError."""
        asked = {
            "device": self.options.get("device", ""),
            "producer": self.options.get("producer", ""),
            "width": self.width,
            "height": self.height,
            "rate_hz": self.rate_hz,
            "seconds": seconds,
            **more,
        }
        command = [sys.executable, "-m", f"inspection.bench.cameras.{self.bare}", json.dumps(asked)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + _WAIT_S, check=False)
        if done.returncode:
            raise RuntimeError(f"{self.name}: the bare loop ended with {done.returncode}: {done.stderr[-1000:]}")
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return result


GIGE = Counterpart(
    name="GigE Vision (Aravis's fake camera), 2048² Mono8",
    backend="aravis",
    options={"device": _SERIAL, "pixel_format": "Mono8", "exposure_us": 500.0, "packet_size": 9000,
             "packet_socket": "off", "roi": (0, 0, 2048, 2048)},
    bare="bare_aravis",
    width=2048,
    height=2048,
    rate_hz=0.0,
    most_hz=(100.0, 80.0, 60.0, 40.0, 25.0, 10.0),
)  # fmt: skip
TLSIMU = Counterpart(
    name="GenTL (TLSimu), 2048² Mono8, as fast as it goes",
    backend="genicam",
    options={"device": "SN_InterfaceA_0", "producer": str(_PRODUCER), "roi": (0, 0, 2048, 2048)},
    bare="bare_gentl",
    width=2048,
    height=2048,
    rate_hz=0.0,
)
PYLON = Counterpart(
    name="pylon's emulation, 2448×2048 Mono8",
    backend="pylon",
    options={"emulated": True, "pixel_format": "Mono8", "roi": (0, 0, 2448, 2048)},
    bare="bare_pylon",
    width=2448,
    height=2048,
    rate_hz=0.0,
)


@contextlib.contextmanager
def installed() -> Iterator[tuple[list[Counterpart], list[str]]]:
    """Give the counterparts that are here, ready to be opened, and why others are not."""
    found, missing = [], []
    with contextlib.ExitStack() as stack:
        if is_installed(BACKENDS["aravis"]):
            stack.callback(FakeGige((GIGE.width, GIGE.height)).end)
            found.append(GIGE)
        else:
            missing.append(f"{GIGE.name}: {BACKENDS['aravis'].install}")
        if is_installed(BACKENDS["genicam"]) and _PRODUCER.exists():
            found.append(TLSIMU)
        else:
            missing.append(f"{TLSIMU.name}: pip install 'lineward[genicam]' and scripts/test-producers")
        if is_installed(BACKENDS["pylon"]):
            paced = PYLON.at(100.0)
            found.append(replace(paced, name=f"{PYLON.name}, 100 Hz"))
            found.append(replace(PYLON, name=f"{PYLON.name}, the most that is sustained", most_hz=_FAST_HZ))
        else:
            missing.append(f"{PYLON.name}: pip install 'lineward[pylon]'")
        yield found, missing

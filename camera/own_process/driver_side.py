"""The driver's side of the calls that the station makes: one camera, in the process that is its own."""

from __future__ import annotations

import importlib
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from camera.backend_row import Backend
from camera.copying import copied_bytes
from camera.device import Device
from camera.errors import CameraError, CameraLostError, CameraOpenError, Cause
from camera.frame import ClockReading, Trigger
from camera.genicam.nodes import Nodes
from camera.genicam.writing import Applied
from camera.interface import Camera
from camera.own_process.grabbing import Grabbing


@dataclass(frozen=True, slots=True)
class CameraFacts:
    """What the station asks of a camera so often that it is told once, after open and after start."""

    reports_triggers: bool
    takes_software_trigger: bool
    picture_size: tuple[int, int] | None
    has_nodes: bool
    applied: tuple[Applied, ...] = ()
    frame_s: float = 0.0


class DriverSide:
    """The camera in this process, and the calls that the station makes to it, each lane in a thread of its own."""

    def __init__(self, grabbing: Grabbing) -> None:
        self._grabbing = grabbing
        self._camera: Camera | None = None

    def lanes(self) -> dict[str, Mapping[str, Callable[..., object]]]:
        """Return the calls of each lane by name."""
        nodes = ("names", "has", "node", "get", "set", "execute")
        return {
            "life": {
                "devices": self.devices,
                "open": self.open,
                "start": self.start,
                "stop": self.stop,
                "close": self.close,
            },
            "trigger": {"trigger": self.trigger, "cease": lambda: self.camera.cease()},
            "events": {"wait_trigger": lambda timeout_s: self.camera.wait_trigger(timeout_s)},
            "look": {"read_clock": self.read_clock, "counters": self.counters},
            "nodes": {
                **{name: self._node_call(name) for name in nodes},
                "check_settings": lambda: self.camera.check_settings(),
                "ptp_status": lambda: self.camera.ptp_status(),
            },
        }

    @property
    def camera(self) -> Camera:
        """The open camera."""
        if self._camera is None:
            raise CameraLostError("the camera is not open in its process")
        return self._camera

    def devices(self, row: Backend) -> list[Device]:
        """Find what is connected."""
        find = getattr(importlib.import_module(row.module), "devices", None)
        return [] if find is None else list(find())

    def open(self, row: Backend, name: str, packed_options: bytes) -> CameraFacts:
        """Load the driver and open the device."""
        try:
            camera_class = getattr(importlib.import_module(row.module), row.camera_class)
            camera: Camera = camera_class(name, pickle.loads(packed_options))  # the station packed them
            camera.offer_memory(self._grabbing.memory)
            camera.open()
        except CameraError:
            raise
        except (ImportError, OSError) as error:
            raise CameraOpenError(
                f"camera '{name}': the driver of backend '{row.name}' cannot be loaded: {error}; mend its installation",
                Cause.INSTALLATION,
            ) from error
        self._camera = camera
        return self._facts()

    def start(self) -> CameraFacts:
        """Start acquisition, and grab from then on."""
        self.camera.start()
        self._grabbing.start(self.camera)
        return self._facts()

    def stop(self) -> None:
        """Stop acquisition; every exposure that was grabbed is told of by then."""
        self._grabbing.stop()
        if self._camera is not None:
            self._camera.stop()
        self._grabbing.wait_parked()

    def close(self) -> None:
        """Release the device."""
        if self._camera is not None:
            self._grabbing.stop()
            self._camera.close()

    def trigger(self) -> Trigger | None:
        """Make one exposure, unless it would be dropped."""
        return None if self._grabbing.full else self.camera.trigger()

    def read_clock(self) -> ClockReading | None:
        """Read the device's clock between two moments of this machine's."""
        return self.camera.read_clock()

    def counters(self) -> dict[str, int]:
        """Return the driver's counters, and what was dropped here."""
        counted = dict(self.camera.counters())
        counted["copied_bytes"] = copied_bytes()
        counted["underruns"] = counted.get("underruns", 0) + self._grabbing.dropped
        return counted

    def _node_call(self, name: str) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            nodes: Nodes | None = self.camera.nodes
            if nodes is None:
                raise CameraError("this camera has no GenICam features")
            given: object = getattr(nodes, name)(*arguments)
            return tuple(given) if name == "names" and not isinstance(given, str) else given  # type: ignore[arg-type]

        return call

    def _facts(self) -> CameraFacts:
        camera = self.camera
        return CameraFacts(
            camera.reports_triggers,
            camera.takes_software_trigger,
            camera.picture_size,
            camera.nodes is not None,
            camera.applied,
            camera.frame_s,
        )

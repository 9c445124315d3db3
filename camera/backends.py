"""The table of camera backends: one row each, imported only when asked for."""

from __future__ import annotations

import ctypes.util
import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

from pydantic import BaseModel, ValidationError

from camera.backend_row import Backend as Backend
from camera.device import DeviceOptions
from camera.errors import CameraOptionsError
from camera.interface import Camera
from camera.plugins import find_plugins
from camera.scene import Scene


@dataclass(frozen=True, slots=True)
class Discovered:
    """What `cameras list` shows of one backend."""

    backend: str
    summary: str
    installed: bool
    hint: str  # how to get the missing library; empty when it is there


BACKENDS: dict[str, Backend] = {
    row.name: row
    for row in (
        Backend(
            name="simulated",
            module="camera.simulated",
            camera_class="SimulatedCamera",
            summary="parts on a simulated belt with a photo-eye, and faults at stated rates",
            library="numpy",
            needs_scene=True,
        ),
        Backend(
            name="conveyor",
            module="camera.conveyor",
            camera_class="ConveyorCamera",
            summary="a free-running camera over a simulated moving belt: no photo-eye, parts pass through the picture",
            library="cv2",
            needs_scene=True,
        ),
        Backend(
            name="replay",
            module="camera.replay",
            camera_class="ReplayCamera",
            summary="a folder of images or a video file, at its own timing or a given rate",
            library="cv2",
        ),
        Backend(
            name="aravis",
            module="camera.aravis.camera",
            camera_class="AravisCamera",
            summary="GigE Vision and USB3 Vision cameras of any vendor, through Aravis",
            system_library="aravis-0.8",
            install="apt install libaravis-0.8-0",
            is_device=True,
        ),
        Backend(
            name="genicam",
            module="camera.gentl.camera",
            camera_class="GentlCamera",
            summary="any camera whose vendor gives a GenTL producer (.cti)",
            library="genicam",
            extra="genicam",
            is_device=True,
        ),
        Backend(
            name="pylon",
            module="camera.pylon.camera",
            camera_class="PylonCamera",
            summary="Basler cameras through their own SDK, and its emulation",
            library="pypylon",
            extra="pylon",
            is_device=True,
        ),
        Backend(
            name="rtsp",
            module="camera.rtsp",
            camera_class="RtspCamera",
            summary="a network camera by its RTSP address; no trigger, no counter: not for ejecting by itself",
            library="cv2",
            is_device=True,
        ),
        Backend(
            name="uvc",
            module="camera.uvc",
            camera_class="UvcCamera",
            summary="a USB camera that the kernel knows as /dev/video*",
            library="cv2",
            is_device=True,
        ),
    )
}


def make_camera(backend: str, name: str, options: Mapping[str, object], *, scene: Scene | None = None) -> Camera:
    """Make the camera that a configuration describes, not yet open.

    scene: what a simulated camera looks at; the other backends need none and leave it alone.
    Raises CameraOptionsError with all problems of `options` together.
    """
    row = backend_row(backend)
    module = _load(row)
    checked = _checked(module.Options, row, name, options)
    if row.is_device and isinstance(checked, DeviceOptions) and checked.own_process:
        from camera.own_process.camera import IsolatedCamera

        return IsolatedCamera(name, row, checked, checked.watchdog_s)
    camera_class = getattr(module, row.camera_class)
    if not row.needs_scene:
        camera: Camera = camera_class(name, checked)
    elif scene is not None:
        camera = camera_class(name, checked, scene)
    else:
        raise CameraOptionsError(
            f"camera '{name}': backend '{backend}' was given no scene; it shows the parts of one; pass scene=…"
        )
    return camera


def options_model(backend: str) -> type[BaseModel]:
    """Return the pydantic model of a backend's options. Raises CameraOptionsError for an unknown backend."""
    model: type[BaseModel] = _load(backend_row(backend)).Options
    return model


def discover() -> list[Discovered]:
    """List the backends and whether what they stand on is installed; imports none of it."""
    plugins = find_plugins(BACKENDS)
    broken = [Discovered(problem.name, problem.text, False, problem.hint) for problem in plugins.problems]
    return [_discovered(row) for row in (*BACKENDS.values(), *plugins.rows.values())] + broken


def all_rows() -> list[Backend]:
    """Return every row that can be used, plug-ins' last."""
    return [*BACKENDS.values(), *find_plugins(BACKENDS).rows.values()]


def is_installed(row: Backend) -> bool:
    """Return whether what the driver stands on is there; loads none of it."""
    try:
        installed = not row.library or importlib.util.find_spec(row.library) is not None
    except ModuleNotFoundError:  # not even the package that it is in
        installed = False
    return installed and (not row.system_library or ctypes.util.find_library(row.system_library) is not None)


def installing(row: Backend) -> str:
    """Return how to get what the driver stands on, '' where it is there; loads none of it."""
    return "" if is_installed(row) else _hint(row)


def _discovered(row: Backend) -> Discovered:
    hint = installing(row)
    return Discovered(row.name, row.summary, not hint, hint)


def backend_row(backend: str) -> Backend:
    """Return the row of a backend, ours or a plug-in's. Raises CameraOptionsError for an unknown one."""
    if (row := BACKENDS.get(backend)) is not None:
        return row
    plugins = find_plugins(BACKENDS)
    if (row := plugins.rows.get(backend)) is not None:
        return row
    for problem in plugins.problems:
        if problem.name == backend:
            raise CameraOptionsError(f"{problem.text}; {problem.hint}")
    known = ", ".join(sorted({*BACKENDS, *plugins.rows}))
    raise CameraOptionsError(f"camera backend '{backend}' is unknown; known are {known}; set backend to one of them")


def _load(row: Backend) -> ModuleType:
    try:
        return importlib.import_module(row.module)
    except ModuleNotFoundError as error:
        raise CameraOptionsError(
            f"camera backend '{row.name}' cannot be loaded: module '{error.name}' is not installed; {_hint(row)}"
        ) from error


def _hint(row: Backend) -> str:
    if row.install:
        return f"install it with: {row.install}"
    package = f"lineward[{row.extra}]" if row.extra else "lineward"
    return f"install it with: pip install '{package}'"


def _checked(model: type[BaseModel], row: Backend, name: str, options: Mapping[str, object]) -> BaseModel:
    try:
        return model.model_validate(dict(options))
    except ValidationError as error:
        known = ", ".join(sorted(model.model_fields))
        problems = [_problem(found["loc"], found["msg"], found["type"], found["input"]) for found in error.errors()]
        lines = "\n  ".join(problems)
        raise CameraOptionsError(
            f"camera '{name}': {len(problems)} problem(s) in the options of backend '{row.name}':\n  {lines}\n"
            f"Known options: {known}."
        ) from None


def _problem(location: tuple[int | str, ...], message: str, kind: str, value: object) -> str:
    key = ".".join(str(step) for step in location)
    if kind == "extra_forbidden":
        return f"{key}: unknown key; remove it or mend its spelling"
    if kind == "missing":
        return f"{key}: is missing; give it a value"
    if not key:
        return message.removeprefix("Value error, ")
    return f"{key} = {value!r}: {message[0].lower()}{message[1:]}"

"""Which camera a command means: one of a station's file, `backend:device`, or a name that one backend finds."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from camera.backends import all_rows, backend_row, make_camera, options_model
from camera.errors import CameraOptionsError

if TYPE_CHECKING:
    from camera.device import Device
    from camera.interface import Camera
    from camera.scene import Scene

_SCENE_SEED, _SCENE_DEFECTS = 10_000, 0.1
_SPELLING = (
    "a camera is station.toml (or station.toml:name), backend:device such as aravis:SERIAL, or what "
    "`lineward cameras list` shows: a serial number, a user name or an address"
)


@dataclass(frozen=True)
class Choice:
    """A camera as it was asked for: everything that makes it."""

    backend: str
    name: str
    options: dict[str, Any] = field(default_factory=dict)
    scene_seed: int = _SCENE_SEED
    defect_rate: float = _SCENE_DEFECTS

    def make(self, **changes: object) -> Camera:
        """Make the camera, not yet open; changes: of options, where the backend knows them. Raises CameraError."""
        known = options_model(self.backend).model_fields
        options = {**{key: value for key, value in changes.items() if key in known}, **self.options}
        return make_camera(self.backend, self.name, options, scene=self.scene())

    def scene(self) -> Scene | None:
        """Return what a simulated camera looks at; None where the backend needs nothing."""
        if not backend_row(self.backend).needs_scene:
            return None
        from inspection.simulation.scene import SyntheticScene

        return SyntheticScene(self.scene_seed, self.defect_rate)


def choose_camera(text: str, settings: Sequence[str] = ()) -> Choice:
    """Find out which camera is meant. settings: `key=value` each, with TOML values, over what a file says.

    Raises CameraOptionsError (nothing or several are meant), ConfigError (of the station's file).
    """
    options = parse_options(settings)
    file, _, name = _split_file(text)
    if file is not None:
        return _of_station(file, name, options)
    backend, colon, device = text.partition(":")
    known = {row.name for row in all_rows()}
    if backend in known and device.startswith("//"):  # rtsp://host/stream is the device itself
        device = text
    elif backend not in known:
        backend, device = _backend_of(text), text
    elif colon and not device:
        raise CameraOptionsError(f"camera '{text}': there is no device after the colon; {_SPELLING}")
    return Choice(backend, device or backend, {**_device_option(backend, device), **options})


def station_file_of(text: str) -> Path | None:
    """Return the station's file that a camera's name begins with; None where it names no file."""
    return _split_file(text)[0]


def parse_options(settings: Sequence[str]) -> dict[str, Any]:
    """Return `key=value` texts as options: a TOML value, or else the text itself. Raises CameraOptionsError."""
    options: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key.strip():
            raise CameraOptionsError(
                f"option '{setting}': is not key=value; write for example --option exposure_us=2000 or "
                "--option 'roi=[0, 0, 640, 480]'"
            )
        options[key.strip()] = toml_value(value)
    return options


def toml_value(text: str) -> Any:
    """Return what the text is as a value of TOML; what is none is a text: `Mono8` needs no quotes."""
    try:
        values = tomllib.loads(f"value = {text.strip()}")
    except tomllib.TOMLDecodeError:
        return text
    return values["value"] if list(values) == ["value"] else text


def _split_file(text: str) -> tuple[Path | None, str, str]:
    """Return the station's file and the camera's name in `station.toml:name`; None where the text names no file."""
    if text.endswith(".toml"):
        return Path(text), "", ""
    path, colon, name = text.rpartition(".toml:")
    return (Path(f"{path}.toml"), colon, name) if colon else (None, "", "")


def _of_station(file: Path, name: str, options: dict[str, Any]) -> Choice:
    from inspection.config import load_config

    config = load_config(file)
    sections = [section for section in config.cameras if name in ("", section.name)]
    if len(sections) != 1:
        what = f"has no camera '{name}'" if name else f"has {len(config.cameras)} cameras"
        names = ", ".join(f"{file}:{section.name}" for section in config.cameras)
        raise CameraOptionsError(f"{file}: {what}; name one of {names}")
    section, simulation = sections[0], config.simulation
    return Choice(
        section.backend, section.name, {**section.options, **options}, simulation.seed, simulation.defect_rate
    )


def _device_option(backend: str, device: str) -> dict[str, Any]:
    if not device:
        return {}
    known = options_model(backend).model_fields
    key = next((key for key in ("url", "device", "path") if key in known), None)
    if key is None:
        raise CameraOptionsError(
            f"camera '{backend}:{device}': backend '{backend}' has no devices to choose from; write '{backend}', and "
            f"its settings as --option key=value ({', '.join(sorted(known))})"
        )
    return {key: device}


def _backend_of(device: str) -> str:
    """Return the one backend that finds the device. Raises CameraOptionsError that lists what there is."""
    from camera.discovery import find_devices

    found, problems = find_devices()
    backends = sorted({one.backend for one in found if one.answers_to(device)})
    if len(backends) == 1:
        return backends[0]
    if backends:
        ways = " or ".join(f"{backend}:{device}" for backend in backends)
        raise CameraOptionsError(f"camera '{device}': {len(backends)} backends find it; write {ways}")
    listed = "".join(f"\n  {_spelled(one)}" for one in found) or " nothing"
    trouble = "".join(f"\n  {problem}" for problem in problems)
    prefix, colon, _ = device.partition(":")
    known = ", ".join(row.name for row in all_rows())
    unknown = f"'{prefix}' is no backend (there are {known}), and " if colon else ""
    raise CameraOptionsError(f"camera '{device}': {unknown}no backend finds it; {_SPELLING}. Found:{listed}{trouble}")


def _spelled(device: Device) -> str:
    called = " ".join(part for part in (device.vendor, device.model, device.user_name, device.address) if part)
    return f"{device.backend}:{device.serial or device.id}  {called} ({device.state})".replace("  (", " (")


def _complete(incomplete: str) -> list[str]:
    """Offer what costs nothing to find: the station files here, and the backends."""
    files = sorted(str(file) for file in Path().glob("*.toml") if file.name != "pyproject.toml")
    names = [*files, *(f"{row.name}:" if row.is_device else row.name for row in all_rows())]
    return [name for name in names if name.startswith(incomplete)]


CameraArgument = Annotated[
    str,
    typer.Argument(
        metavar="CAMERA",
        help="station.toml[:name], backend:device, or a serial number, user name or address.",
        autocompletion=_complete,
    ),
]
OptionOption = Annotated[
    list[str] | None,
    typer.Option("--option", "-o", metavar="KEY=VALUE", help="An option of the backend, as in a station's file."),
]

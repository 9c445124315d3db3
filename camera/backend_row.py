"""One row of the table of camera backends."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backend:
    """One row: where the driver lives and what it needs. Its module holds `Options` and the class `camera_class`.

    Where `is_device`, `Options` is a `camera.device.DeviceOptions`, and the module may hold
    `devices() -> list[camera.device.Device]`, which finds what is connected.
    """

    name: str
    module: str
    camera_class: str
    summary: str
    library: str = ""  # the importable module that the driver stands on
    extra: str = ""  # the extra of this package that installs it; empty when it always comes along
    system_library: str = ""  # the shared library that it stands on, as the linker finds it
    install: str = ""  # the command that brings the system library
    needs_scene: bool = False
    is_device: bool = False

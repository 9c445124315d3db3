"""A device that was found, and the options that every backend with a device has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


@dataclass(frozen=True, slots=True)
class Device:
    """One camera that a backend can see.

    id: what the backend itself calls it, unique within the backend. address: IP address, USB port or URL, '' where
    there is none. state: "free", "held" by another program, "unreachable" (seen, but in another subnet).
    hint: what to do about it, '' where it is free.
    """

    backend: str
    id: str
    vendor: str = ""
    model: str = ""
    serial: str = ""
    user_name: str = ""
    address: str = ""
    state: Literal["free", "held", "unreachable", "unknown"] = "unknown"
    hint: str = ""

    def answers_to(self, wanted: str) -> bool:
        """Return whether `wanted` is its id, serial number, user name or address."""
        return wanted in (self.id, self.serial, self.user_name, self.address) and wanted != ""


class DeviceOptions(BaseModel):
    """What the file may say of any real camera."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    device: str = Field(
        default="", description="serial number, user name or address; absent: the one that is connected"
    )
    own_process: bool = Field(
        default=True, description="the driver runs in a process of its own, and cannot take the station down"
    )
    watchdog_s: float = Field(
        default=5.0,
        ge=0.5,
        le=60,
        description="a driver that gives no sign of life for so long is ended and begun anew",
    )
    silence_s: float | None = Field(
        default=None,
        ge=0.1,
        le=3600,
        description="a free-running camera that sends nothing for so long is lost; absent: 5 frames, at least 2 s. A "
        "triggered one may be idle for ever",
    )

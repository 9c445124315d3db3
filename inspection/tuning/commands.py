"""What a browser may ask for: changes of the device and of files, in the background, with the answer in words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from camera.errors import CameraError
from camera.genicam.nodes import Nodes
from camera.genicam.saved import save_features, write_saved
from camera.genicam.settings import save_user_set
from camera.interface import Camera
from camera.pixels import Rectangle, image_of
from inspection.errors import ConfigError
from inspection.tuning.errors import TuningError
from inspection.tuning.looking import Look, Looking
from inspection.tuning.loop import TuningLoop
from inspection.tuning.station_file import camera_in, lines_of, write_options
from inspection.tuning.white_balance import balanced, means_of

_ANSWER_S = 30.0


@dataclass(frozen=True)
class Commands:
    """Changes the camera that is tuned; shared by all browsers, lives on the event loop.

    station: the station's file that is written. settings: the file for all settings of the device. Each method returns
    None when it is done, else why it is not.
    """

    loop: TuningLoop
    looking: Looking
    station: Path | None = None
    settings: Path = field(default_factory=lambda: Path("camera-settings.toml"))

    async def set(self, wanted: Mapping[str, object]) -> str | None:
        """Write options of the light; the best focus is then found anew."""
        refused = await self._do(lambda: self.loop.set(wanted))
        self.looking.forget_best()
        return refused

    async def run_once(self, name: str) -> str | None:
        """Let the device find a value by itself, once."""
        self.looking.forget_best()
        return await self._do(lambda: self.loop.run_once(name))

    async def open_with(self, changes: Mapping[str, object]) -> str | None:
        """Open the camera with another pixel format or region."""
        refused = await self._do(lambda: self.loop.open_with(changes))
        self.looking.choose(None if "roi" in changes else self.looking.region)
        return refused

    async def balance(self) -> str | None:
        """Make the region grey: measure it, and set red and blue."""
        look, now = self.looking.newest, self.loop.settings.balance
        if look is None or now is None:
            return "white balance: there is no picture, or the device has no ratios to set"
        try:
            wanted = balanced(now, means_of(_region_of(look)))
        except (TuningError, CameraError) as error:
            return str(error)
        return await self.set({"white_balance": wanted})

    async def save_user_set(self, name: str) -> str | None:
        """Let the device keep all of its settings."""

        def save(camera: Camera) -> None:
            save_user_set(_nodes_of(camera), name, camera.name)

        return await self._do(lambda: self.loop.while_stopped(save))

    async def save_settings(self) -> str | None:
        """Write all settings of the device into a file, for `lineward cameras set --from`."""

        def save(camera: Camera) -> None:
            write_saved(save_features(_nodes_of(camera)), self.settings)

        return await self._do(lambda: self.loop.while_stopped(save))

    async def write_station(self) -> str | None:
        """Put what was changed into the station's file."""
        file, changed, choice = self.station, dict(self.loop.changed), self.loop.choice
        if file is None:
            return "no station file was named; begin with --write station.toml"

        def write() -> None:
            device = str(choice.options.get("device", ""))
            write_options(file, camera_in(file, choice.name, device), changed)

        try:
            await asyncio.to_thread(write)
        except (ConfigError, OSError) as error:
            return str(error)
        return None

    def lines(self) -> Sequence[str]:
        """Return what was changed as lines for the station's file."""
        return lines_of(self.loop.changed)

    def choose(self, region: Rectangle | None) -> None:
        """Take focus, noise and white balance from this region."""
        self.looking.choose(region)

    async def _do(self, what: Callable[[], Any]) -> str | None:
        try:
            answer = self.loop.order(what)
            await asyncio.wait_for(asyncio.wrap_future(answer), _ANSWER_S)
        except (CameraError, TuningError, OSError) as error:  # TimeoutError is an OSError
            return str(error) or f"the camera has not answered for {_ANSWER_S:.0f} s; check its cable"
        return None


def _region_of(look: Look) -> Any:
    return image_of(look.frame.pixels, look.frame.pixel_format, look.region)


def _nodes_of(camera: Camera) -> Nodes:
    if camera.nodes is None:
        raise TuningError("this camera has no features that could be kept; its options are in the station's file")
    return camera.nodes

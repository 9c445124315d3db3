"""A Basler camera through pylon, or one that pylon emulates."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pypylon import genicam

from camera.device import Device
from camera.errors import CameraOpenError, Cause
from camera.genicam.nodes import Nodes
from camera.genicam.options import StreamingOptions
from camera.genicam.streaming import StreamingCamera
from camera.pylon.finding import described, enumerate_devices, find
from camera.pylon.link import PylonLink

__all__ = ["Options", "PylonCamera", "devices"]


class Options(StreamingOptions):
    """Settings of a Basler camera."""

    emulated: bool = Field(default=False, description="a camera that pylon emulates, for those without a device")
    images: Path | None = Field(
        default=None, description="what an emulated camera shows: a folder of image files, in the order of their names"
    )

    @model_validator(mode="after")
    def _only_the_emulation_shows_files(self) -> Self:
        if self.images is not None and not self.emulated:
            raise ValueError(f"images = '{self.images}' needs emulated = true: a real camera shows what is before it")
        return self


class PylonCamera(StreamingCamera):
    """One Basler device; owned by one grabbing thread. pylon receives on a thread of its own."""

    def __init__(self, name: str, options: Options) -> None:
        super().__init__(name, options)
        self._options = options

    def _connect(self) -> PylonLink:
        options = self._options
        if options.images is not None and not options.images.expanduser().is_dir():
            raise CameraOpenError(
                f"camera '{self.name}': images = '{options.images}' is no folder; name one with image files",
                Cause.ABSENT,
            )
        images = None if options.images is None else options.images.expanduser().resolve()
        info = find(self.name, options.device, options.emulated)
        return PylonLink(self.name, info, options, images)

    def _least_answer_ns(self, nodes: Nodes) -> int:
        """Return the exposure; 0 for pylon's emulation, which answers before its exposure would be over."""
        return 0 if self._options.emulated else super()._least_answer_ns(nodes)


def devices() -> list[Device]:
    """Return the Basler devices that are connected; emulated ones are none."""
    try:
        return [described(info) for info in enumerate_devices(emulated=False)]
    except genicam.GenericException:
        return []

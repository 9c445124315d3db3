"""What each picture of an acquisition has to be, and its pixels where they lie, or copied."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from camera.copying import check_room, put
from camera.errors import CameraOpenError, Cause, PixelFormatError
from camera.frame import Pixels
from camera.genicam.link import Received
from camera.genicam.nodes import Nodes
from camera.genicam.pfnc import canonical, frame_bytes, shaped


@dataclass(frozen=True, slots=True)
class Picture:
    """Size and pixel format that the device is set to; size: its bytes without padding."""

    width: int
    height: int
    pixel_format: str
    size: int

    def trouble_of(self, came: Received) -> str:
        """Return what is wrong with a buffer, '' for one that is whole and as it was set."""
        if came.trouble:
            return came.trouble
        was_set = f"{self.width}×{self.height} {self.pixel_format}"
        if (came.width, came.height, came.pixel_format) != (self.width, self.height, self.pixel_format):
            return f"{came.width}×{came.height} {came.pixel_format} came, {was_set} was set"
        whole = self.size + came.padding * self.height
        if came.data.size in (whole, whole - came.padding):
            return ""
        if came.data.size < whole:
            return f"{came.data.size} of its {whole - came.padding} bytes came"
        return f"{came.data.size} bytes came, {was_set} has {whole}"

    def in_place(self, came: Received) -> Pixels:
        """Return the pixels of a whole buffer without padding where they are."""
        return shaped(came.data, self.pixel_format, self.width, self.height)

    def copied(self, came: Received, into: Pixels | None) -> Pixels:
        """Return the pixels of a whole buffer in `into`, or in new memory; without what pads its rows."""
        flat = np.empty(self.size, np.uint8) if into is None else into[: self.size]
        pixels = shaped(flat, self.pixel_format, self.width, self.height)
        put(pixels, shaped(came.data, self.pixel_format, self.width, self.height, came.padding))
        return pixels

    def check_room(self, camera: str, into: Pixels) -> None:
        """Raise ValueError for a buffer that cannot hold the pixels."""
        check_room(camera, into, self.size)


def picture_of(nodes: Nodes, camera: str) -> Picture:
    """Return what the device is set to now. Raises CameraOpenError for a format that nobody here reads, NodeError."""
    pixel_format = canonical(str(nodes.get("PixelFormat")))
    width, height = int(nodes.get("Width")), int(nodes.get("Height"))
    try:
        return Picture(width, height, pixel_format, frame_bytes(pixel_format, width, height))
    except PixelFormatError as error:
        raise CameraOpenError(f"camera '{camera}': {error}", Cause.REFUSED) from error

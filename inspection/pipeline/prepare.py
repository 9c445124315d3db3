"""From a frame to one slot of a batch: crop the region of interest first, then fit it to the model's input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from camera.errors import PixelFormatError
from camera.frame import Pixels
from camera.geometry.errors import NotLocatedError
from camera.geometry.pose import Pose
from camera.geometry.straighten import Straightener
from camera.pixels import image_of
from inspection.pipeline.unfit import UnfitError
from models.errors import PixelError
from models.resize import fit


@dataclass(frozen=True, slots=True)
class Region:
    """The rectangle of the frame that the model looks at, in pixels of the frame."""

    x: int
    y: int
    width: int
    height: int

    @property
    def rectangle(self) -> tuple[int, int, int, int]:
        """x, y, width, height."""
        return self.x, self.y, self.width, self.height

    def crop(self, pixels: Pixels) -> Pixels:
        """Return the view of the region; ValueError when it reaches out of the frame."""
        rows, columns = pixels.shape[:2]
        if self.x + self.width > columns or self.y + self.height > rows:
            raise ValueError(
                f"region x={self.x} y={self.y} width={self.width} height={self.height} reaches out of a "
                f"{columns}×{rows} frame; mend the region in the configuration"
            )
        return pixels[self.y : self.y + self.height, self.x : self.x + self.width]


@dataclass(frozen=True, slots=True)
class Preparer:
    """How the frames of one view become the model's input: which region is looked at. Immutable, for any thread.

    straightener: takes the region out of the frame where a lens is calibrated, or the part may be shifted and turned.
    """

    region: Region | None = None
    straightener: Straightener | None = None

    def prepare(self, pixels: Pixels, pixel_format: str, out: Pixels) -> Pose | None:
        """Write one frame into `out`, uint8 (height, width, channels): crop, unpack, make straight, fit.

        pixel_format: the PFNC name of raw pixels; '' for what is an image already, (H, W) grey or (H, W, 3) RGB.
        Returns how the part lay, where that is looked for. Raises UnfitError where it was not located, ValueError for a
        frame that cannot be read.
        """
        pose = None
        try:
            if self.straightener is not None:
                image, pose = self.straightener.straighten(pixels, pixel_format, out.shape[:2])
            elif pixel_format in ("", "Mono8", "RGB8"):
                image = pixels if self.region is None else self.region.crop(pixels)
            else:
                image = image_of(pixels, pixel_format, None if self.region is None else self.region.rectangle)
            height, width, channels = out.shape
            fit(image, height, width, channels, out=out)
        except (PixelError, PixelFormatError) as error:
            raise ValueError(str(error)) from error
        except NotLocatedError as error:
            raise UnfitError(str(error), pose=error.pose, located=False) from error
        return pose


class Slots:
    """Preallocated input of one worker: uint8 (max_size, height, width, channels). Owned by that worker's thread.

    One preparer for each view; a job names its view by its place among them.
    """

    def __init__(
        self, max_size: int, height: int, width: int, channels: int, preparers: Sequence[Preparer] = (Preparer(),)
    ) -> None:
        self.batch = np.zeros((max_size, height, width, channels), np.uint8)
        self._slots = tuple(self.batch)
        self.filled = tuple(self.batch[:size] for size in range(max_size + 1))
        self._preparers = tuple(preparers)

    def fill(self, slot: int, pixels: Pixels, view: int = 0, pixel_format: str = "") -> Pose | None:
        """Write one frame of a view into a slot, and return how its part lay; errors as of `Preparer.prepare`."""
        return self._preparers[view].prepare(pixels, pixel_format, self._slots[slot])

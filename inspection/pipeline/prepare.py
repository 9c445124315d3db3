"""From a frame to one slot of a batch: crop the region of interest first, then fit it to the model's input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from camera.frame import Pixels
from models.resize import fit


@dataclass(frozen=True, slots=True)
class Region:
    """The rectangle of the frame that the model looks at, in pixels of the frame."""

    x: int
    y: int
    width: int
    height: int

    def crop(self, pixels: Pixels) -> Pixels:
        """Return the view of the region; ValueError when it reaches out of the frame."""
        rows, columns = pixels.shape[:2]
        if self.x + self.width > columns or self.y + self.height > rows:
            raise ValueError(
                f"region x={self.x} y={self.y} width={self.width} height={self.height} reaches out of a "
                f"{columns}×{rows} frame; mend [region] in the configuration"
            )
        return pixels[self.y : self.y + self.height, self.x : self.x + self.width]


class Slots:
    """Preallocated input of one worker: uint8 (max_size, height, width, channels). Owned by that worker's thread."""

    def __init__(self, max_size: int, height: int, width: int, channels: int, region: Region | None) -> None:
        self.batch = np.zeros((max_size, height, width, channels), np.uint8)
        self._region = region

    def fill(self, slot: int, pixels: Pixels) -> None:
        """Write one frame, uint8 (H, W) or (H, W, 3) RGB, into a slot. Raises ValueError for a frame that cannot be."""
        if self._region is not None:
            pixels = self._region.crop(pixels)
        height, width, channels = self.batch.shape[1:]
        fit(pixels, height, width, channels, out=self.batch[slot])

"""What a benchmark looks at: rendered parts as a camera would deliver them, in memory before anything is measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from camera.frame import Pixels
from datasets.synthetic import PartRenderer
from inspection.pipeline.prepare import Preparer, Region
from models.bundle import load_bundle
from models.engines import open_engine
from models.references import resolve_bundle
from models.score import defect_probability

_FRAMES = 32
_SEED = 20_000


@dataclass(frozen=True, slots=True)
class Setting:
    """What is measured: one bundle, frames, and the same workers, batch size and engine for reference and station.

    pixel_format: Mono8, RGB8 or BayerRG8. region: x, y, width, height of the frame, None for all of it.
    """

    bundle: str
    workers: int
    max_batch: int
    width: int
    height: int
    threshold: float = 1.0
    pixel_format: str = "Mono8"
    region: tuple[int, int, int, int] | None = None
    engine: str = "onnxruntime"

    @property
    def preparer(self) -> Preparer:
        """How its frames become the model's input."""
        return Preparer(None if self.region is None else Region(*self.region))


def render_frames(folder: Path, setting: Setting) -> tuple[Path, Setting]:
    """Write the frames, and set the threshold so that the worst of them (about 3 % of the parts) is rejected."""
    folder.mkdir()
    for number, pixels in enumerate(render(setting)):
        stored = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
        cv2.imwrite(str(folder / f"{number:03d}.bmp"), stored)
    engine = open_engine(load_bundle(resolve_bundle(setting.bundle)), setting.engine)
    card, scores = engine.card, []
    slot = np.zeros((1, card.input.height, card.input.width, card.input.channels), np.uint8)
    for pixels in render(setting):
        setting.preparer.prepare(pixels, setting.pixel_format, slot[0])
        good_index = card.classes.index(card.good_class)
        scores.append(float(defect_probability(engine.run(slot), good_index)[0]))
    return folder, replace(setting, threshold=max(scores))


def render(setting: Setting) -> list[Pixels]:
    """Return the frames, in the setting's pixel format."""
    renderer = PartRenderer(_SEED, setting.width, setting.height)
    return [_as(renderer.render(number).pixels, setting.pixel_format) for number in range(_FRAMES)]


def _as(pixels: Pixels, pixel_format: str) -> Pixels:
    if pixel_format == "RGB8":
        return pixels
    if pixel_format == "Mono8":
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    mosaic = np.empty(pixels.shape[:2], np.uint8)  # BayerRG8: R G on the first row, G B on the second
    mosaic[::2, ::2], mosaic[::2, 1::2] = pixels[::2, ::2, 0], pixels[::2, 1::2, 1]
    mosaic[1::2, ::2], mosaic[1::2, 1::2] = pixels[1::2, ::2, 1], pixels[1::2, 1::2, 2]
    return mosaic

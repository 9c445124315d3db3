"""What the simulated camera sees: rendered parts, defective at a stated rate, the truth known for each."""

from __future__ import annotations

from camera.frame import Pixels
from datasets.synthetic import PartRenderer

WIDTH, HEIGHT = 640, 480


class SyntheticScene:
    """The parts on the simulated belt; part n looks the same whenever and however often it is asked for."""

    def __init__(self, seed: int, defect_rate: float, width: int = WIDTH, height: int = HEIGHT) -> None:
        self._defect_rate = defect_rate
        self._renderer = PartRenderer(seed, width, height)

    def render(self, part: int) -> Pixels:
        """Paint a part: uint8 (height, width, 3) RGB."""
        return self._renderer.render(part, self.truth(part)).pixels

    def truth(self, part: int) -> str:
        """Tell what a part really is: `good`, or its kind of defect."""
        return self._renderer.kind_of(part, self._defect_rate)

"""What the simulated camera sees: rendered parts, defective at a stated rate, the truth known for each."""

from __future__ import annotations

from camera.belt import chance
from camera.frame import Pixels
from datasets.synthetic import PartRenderer

WIDTH, HEIGHT = 640, 480


class SyntheticScene:
    """The parts on the simulated belt; part n looks the same whenever and however often it is asked for.

    shift_px, turn_deg: a part lies up to so far off its place, each way, and is turned by up to so much, either way.
    """

    def __init__(
        self,
        seed: int,
        defect_rate: float,
        width: int = WIDTH,
        height: int = HEIGHT,
        *,
        shift_px: float = 0.0,
        turn_deg: float = 0.0,
    ) -> None:
        self._seed = seed
        self._defect_rate = defect_rate
        self._shift_px, self._turn_deg = shift_px, turn_deg
        self._renderer = PartRenderer(seed, width, height)

    def render(self, part: int) -> Pixels:
        """Paint a part: uint8 (height, width, 3) RGB."""
        right, down, turn = self.lie(part)
        return self._renderer.render(part, self.truth(part), shift_px=(right, down), turn_deg=turn).pixels

    def lie(self, part: int) -> tuple[float, float, float]:
        """Tell how a part lies: shifted to the right and down in pixels, and turned clockwise in degrees."""
        right, down, turn = (2.0 * chance(self._seed, f"lie {axis}", part) - 1.0 for axis in ("x", "y", "turn"))
        return self._shift_px * right, self._shift_px * down, self._turn_deg * turn

    def truth(self, part: int) -> str:
        """Tell what a part really is: `good`, or its kind of defect."""
        return self._renderer.kind_of(part, self._defect_rate)

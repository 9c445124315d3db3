"""Where a belt and the parts on it are at a moment, for a camera that looks at all of it: pure functions of time."""

from __future__ import annotations

import math
from dataclasses import dataclass

from camera.belt import chance


@dataclass(frozen=True, slots=True)
class MovingBelt:
    """A belt with parts 1, 2, … laid on it; its speed swings, it stops and goes on. Everything follows from the seed.

    Part n begins at `place_mm(n)` on the belt: every `pitch_mm`, up to `jitter_mm` off, or (a share `touching_rate`
    of them) straight behind the part before. The belt runs for `run_s`, stands for `stop_s`, and so on; while it runs,
    its speed swings by the share `swing` about `speed_mm_s`, once in `swing_period_s` of running.
    """

    speed_mm_s: float
    pitch_mm: float
    length_mm: float
    jitter_mm: float = 0.0
    touching_rate: float = 0.0
    swing: float = 0.0
    swing_period_s: float = 10.0
    run_s: float = math.inf
    stop_s: float = 0.0
    seed: int = 0

    def moved_mm(self, belt_ns: int) -> float:
        """Return how far the belt has come after `belt_ns`."""
        time_s = belt_ns * 1e-9
        if math.isfinite(self.run_s):
            turns, rest_s = divmod(time_s, self.run_s + self.stop_s)
            time_s = turns * self.run_s + min(rest_s, self.run_s)
        turn = 2 * math.pi / self.swing_period_s
        return self.speed_mm_s * (time_s + self.swing / turn * (1 - math.cos(turn * time_s)))

    def when_ns(self, mm: float) -> int:
        """Return the first moment at which the belt has come this far, to about a microsecond."""
        low, high = 0, 1_000_000_000
        while self.moved_mm(high) < mm:
            high *= 2
        while high - low > 1_000:
            middle = (low + high) // 2
            low, high = (middle, high) if self.moved_mm(middle) < mm else (low, middle)
        return high

    def touches(self, part: int) -> bool:
        """Tell whether a part lies straight behind the one before it."""
        return part > 1 and chance(self.seed, "touching", part) < self.touching_rate

    def place_mm(self, part: int) -> float:
        """Return how far the belt has come when the leading edge of a part (from 1) enters the picture."""
        behind = 0
        while self.touches(part - behind):
            behind += 1
        first = part - behind
        off_mm = self.jitter_mm * (2.0 * chance(self.seed, "jitter", first) - 1.0)
        return first * self.pitch_mm + off_mm + behind * self.length_mm

"""How sharp the picture is against the sharpest it has been: what somebody who turns a lens ring looks at."""

from __future__ import annotations

from collections import deque
from statistics import median

_SMOOTHED = 5  # looks: one blurred by a hand, or one flash of light, is neither now nor the best


class Sharpness:
    """The focus now, as the median of the last five looks, and the best of these since it was forgotten.

    Owned by the looking thread.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew: another region or other light gives figures that cannot be compared."""
        self._last: deque[float] = deque(maxlen=_SMOOTHED)
        self.best: float | None = None

    def take(self, focus: float) -> None:
        """Take the focus of one look. The best counts from the fifth one on."""
        self._last.append(focus)
        if len(self._last) == _SMOOTHED:
            self.best = max(self.best or 0.0, self.now or 0.0)

    @property
    def now(self) -> float | None:
        """The focus now; None before the first look."""
        return median(self._last) if self._last else None

    @property
    def share(self) -> float | None:
        """Now over the best, 0…1; None where there is no best yet, or nothing to see."""
        return min(1.0, (self.now or 0.0) / self.best) if self.best else None

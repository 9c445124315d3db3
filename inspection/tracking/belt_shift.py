"""How far the belt came between frames, measured on what lies on it."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from inspection.tracking.presence import Grey

_CONTRAST = 0.3  # grey levels; a profile that changes less with the shift says nothing about it


class BeltShift:
    """Follows the belt's way in columns by laying each profile over an earlier one. Pure; owned by `FreeRunTriggers`.

    The earlier profile stays until the belt has moved well against it, so that neither does slow movement get lost nor
    do the errors of many small steps (or the noise of a standing belt) add up.
    """

    def __init__(self, columns: int, reach: int) -> None:
        self._reach = reach
        self._anchor: Grey | None = None
        self._anchor_way = 0.0
        ones = np.zeros(columns + 2 * reach, np.float32)
        ones[reach : reach + columns] = 1.0
        self._inside = sliding_window_view(ones, columns)  # [shift + reach, column]: is that column compared?
        self._counts = self._inside.sum(axis=1)

    @property
    def reach(self) -> int:
        """The greatest shift, in columns, that is looked for."""
        return self._reach

    def way(self, profile: Grey, expected_way: float) -> float:
        """Return the belt's way in columns at a profile; `expected_way` decides where the profile leaves it open."""
        if self._anchor is None:
            self._take(profile, expected_way)
            return expected_way
        shift = self._shift(self._anchor, profile, expected_way - self._anchor_way)
        way = self._anchor_way + shift
        if abs(shift) >= 0.25 * self._reach:
            self._take(profile, way)
        return way

    def jump(self, profile: Grey, way: float) -> None:
        """Begin anew at a way that was not measured."""
        self._take(profile, way)

    def _take(self, profile: Grey, way: float) -> None:
        self._anchor, self._anchor_way = profile, way

    def _shift(self, before: Grey, now: Grey, expected: float) -> float:
        reach = self._reach
        padded = np.zeros((now.shape[0], now.shape[1] + 2 * reach), np.float32)
        padded[:, reach : reach + now.shape[1]] = now
        laid = sliding_window_view(padded, now.shape[1], axis=1)
        apart = np.abs(laid - before[:, None, :])
        costs = np.einsum("sij,ij->i", apart, self._inside) / (self._counts * now.shape[0])
        span = float(costs.max() - costs.min())
        if span < _CONTRAST:
            return expected
        shifts = np.arange(-reach, reach + 1)
        costs = costs + 0.02 * span * np.abs(shifts - expected) / reach
        best = int(costs.argmin())
        if 0 < best < costs.size - 1:
            left, middle, right = (float(cost) for cost in costs[best - 1 : best + 2])
            # Sums of absolute differences are V-shaped about the true shift, not parabolic.
            slope = max(left, right) - middle
            return best - reach + (0.5 * (left - right) / slope if slope > 0 else 0.0)
        return float(best - reach)

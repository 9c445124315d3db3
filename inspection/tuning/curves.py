"""Small curves of the last minute, and a histogram, as paths of SVG."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SPAN_S = 60.0
WIDTH, HEIGHT = 120.0, 30.0
"""The size of the drawing in its own units; the page stretches it."""

_GAP_S = 2.0  # without a value for so long, the curve is interrupted: nothing was seen then
_COLUMNS = 120


def path(points: Sequence[tuple[float, float]], now_s: float, low: float, high: float) -> str:
    """Return the curve of (time, value) of the last 60 s up to now, drawn between two values; '' for none.

    Of several values in one column the last is drawn: the curve never has more than 120 points.
    """
    columns: dict[int, tuple[float, float]] = {}
    for at_s, value in points:
        x = 1.0 - (now_s - at_s) / SPAN_S
        if 0.0 <= x <= 1.0:
            columns[int(x * _COLUMNS)] = (at_s, value)
    drawn, before_s = [], None
    for at_s, value in columns.values():
        x = (1.0 - (now_s - at_s) / SPAN_S) * WIDTH
        share = (value - low) / (high - low) if high > low else 0.5
        y = HEIGHT - min(1.0, max(0.0, share)) * HEIGHT
        is_new = before_s is None or at_s - before_s > _GAP_S
        drawn.append(f"{'M' if is_new else 'L'}{x:.1f} {y:.1f}")
        before_s = at_s
    return "".join(drawn)


def range_of(values: Sequence[float], least_span: float) -> tuple[float, float]:
    """Return between which values a curve is drawn: all of them, and so far apart that noise looks like noise."""
    low, high = (min(values), max(values)) if values else (0.0, 0.0)
    span = max(high - low, least_span)
    bottom = max(0.0, (low + high - span) / 2)
    return bottom, bottom + span


def bars(counts: NDArray[np.int64], width: float, height: float) -> str:
    """Return a histogram of 256 counts as one closed area of 64 bars; their height goes with the root of the count.

    The root, so that a few overexposed pixels beside a million others are still seen.
    """
    heights = np.sqrt(counts.reshape(64, -1).sum(axis=1))
    tallest = float(heights.max()) or 1.0
    step = width / 64
    steps = [
        f"L{bar * step:.2f} {height - height * float(tall) / tallest:.2f}h{step:.2f}"
        for bar, tall in enumerate(heights)
    ]
    return f"M0 {height}{''.join(steps)}L{width} {height}Z"

"""The gate in front of the model: is this frame good enough for anything to be decided by it?"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from camera.figures import CELLS, Figures, Map, measure
from camera.frame import Pixels
from camera.picture_limits import named
from camera.pixels import Rectangle
from inspection.quality.limits import held, outside
from inspection.quality.options import QualitySection

REMEMBERED = 32
"""Dirt and smears are looked for in the mean of about so many frames: parts differ, dirt stays."""

_CLEAR = 0.25  # places with less than this share of the mean detail have none to lose


@dataclass(frozen=True, slots=True)
class Finding:
    """What a frame measured, by name, and the limits that it breaks ('focus_min' …; empty when it may be judged)."""

    figures: Mapping[str, float]
    outside: tuple[str, ...]

    def story(self) -> dict[str, object]:
        """Return it as the record keeps it."""
        return {**self.figures, "outside": list(self.outside)}


class Traces:
    """What stays at one place over many frames: the running means of a view's maps, against their reference.

    A place counts by its running mean, but never for more than twice what this very frame shows there, so that the
    first frame after the lens was wiped is judged again.
    """

    def __init__(self, light: Map | None, detail: Map | None) -> None:
        self._light = light
        self._detail = None
        if detail is not None:  # and the places that have some to lose
            self._detail = np.maximum(detail, 1e-9), detail > _CLEAR * float(detail.mean())
        self._light_off: NDArray[np.float32] = np.zeros((CELLS, CELLS), np.float32)
        self._detail_gone: NDArray[np.float32] = np.zeros((CELLS, CELLS), np.float32)

    def uneven(self, figures: Figures) -> float:
        """Return how far the light at one place of this frame is off its reference; 0 without one."""
        return 0.0 if self._light is None else float(np.abs(figures.light - self._light).max())

    def add(self, figures: Figures) -> dict[str, float]:
        """Take a frame's maps; return dirt (light that is off) and smear (detail that is gone), 0 without reference.

        A frame that is blurred or dark as a whole is no trace of anything at one place: it is for the caller to leave
        it out.
        """
        dirt = smear = 0.0
        if self._light is not None:
            off = figures.light - self._light
            self._light_off += (off - self._light_off) / REMEMBERED
            dirt = _lasting(self._light_off, off)
        if self._detail is not None:
            detail, has_some = self._detail
            gone = np.where(has_some, 1.0 - figures.detail / detail, 0.0)
            self._detail_gone += (gone - self._detail_gone) / REMEMBERED
            smear = _lasting(np.maximum(self._detail_gone, 0.0), gone)
        return {"dirt": dirt, "smear": smear}


class Gate:
    """The limits of one view and the traces of its frames. Owned by the engine, asked by every worker; a short lock."""

    def __init__(self, section: QualitySection, region: Rectangle | None = None) -> None:
        self._limits = held(section)
        self._region = region
        self._traces = Traces(as_map(section.light), as_map(section.detail))
        self._lock = threading.Lock()

    def look(self, pixels: Pixels, pixel_format: str) -> Finding:
        """Measure one frame and hold it against the limits. Raises PixelFormatError for what is no such frame."""
        return self.judge(measure(pixels, pixel_format, self._region))

    def judge(self, measured: Figures) -> Finding:
        """Hold what was measured on one frame against the limits, and take it for the traces."""
        figures = {**named(measured), "uneven": self._traces.uneven(measured), "dirt": 0.0, "smear": 0.0}
        broken = outside(figures, self._limits)
        if not broken:
            with self._lock:
                figures |= self._traces.add(measured)
            broken = outside(figures, self._limits)
        return Finding({name: float(f"{value:.4g}") for name, value in figures.items()}, broken)


def as_map(values: tuple[float, ...] | None) -> Map | None:
    """Return a map of the configuration as an array, (CELLS, CELLS)."""
    return None if values is None else np.array(values, np.float32).reshape(CELLS, CELLS)


def _lasting(mean: NDArray[np.float32], now: NDArray[np.float32]) -> float:
    """Return the furthest running mean of a place, where this frame is off in the same direction by half of it."""
    here = np.maximum(np.sign(mean) * now, 0.0)
    return float(np.minimum(np.abs(mean), 2.0 * here).max())

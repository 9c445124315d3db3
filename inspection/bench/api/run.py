"""The benchmark of the API as a whole: images to judge, results to watchers, and the line beneath them."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from camera.frame import Pixels
from datasets.synthetic import PartRenderer
from inspection.bench import records
from inspection.bench.api import images, watching
from inspection.bench.api.echo import echoing
from inspection.bench.api.measured import MeasuredStation, bench_config, measured_station
from inspection.bench.frames import Setting, render_frames
from inspection.engine import Engine

Say = Callable[[str], None]
PARTS = ("images", "watchers", "line", "records")
_RECORDS = 20_000
_FEW_RECORDS = 2000
_WARM_UP_S = 1.0
_FEW_BELOW_S = 5.0


def run(
    setting: Setting,
    *,
    parts: Sequence[str],
    rounds: int,
    seconds: float,
    watchers: Sequence[int],
    rate_hz: float,
    say: Say,
) -> dict[str, Any]:
    """Measure `parts` of the API of a whole station in a process of its own; everything else is this process.

    rounds: of images, each with one call of every kind. seconds: of each rate. rate_hz: of the line. The watchers share
    the machine with the station: on two cores their own work is about half of what limits the rate.
    """
    result: dict[str, Any] = {"bundle": setting.bundle}
    with tempfile.TemporaryDirectory(prefix="lineward-bench-") as name:
        folder = Path(name)
        frames, setting = render_frames(folder / "frames", setting)
        config = bench_config(setting, frames, folder / "records", rate_hz=rate_hz, streams=max(watchers) + 1)
        with measured_station(config) as station:
            if "images" in parts:
                engine = Engine(config, say)
                try:
                    result["images"] = _images(station, engine, rounds, say)
                finally:
                    engine.close()
            if "watchers" in parts:
                result["watchers"] = _watched(station, watchers, seconds, say)
            if "line" in parts:
                result["line"] = _line(station, watchers, seconds, say)
    if "records" in parts:
        few = seconds < _FEW_BELOW_S
        rows, times = (_FEW_RECORDS, 1) if few else (_RECORDS, 3)
        result["records"] = records.run(rows=rows, rounds=times, postgresql="", say=say)
    return result


def _images(station: MeasuredStation, engine: Engine, rounds: int, say: Say) -> dict[str, Any]:
    with echoing() as echo:
        servers = images.Servers(station.address, echo, engine)
        return {
            name: _told(say, name, images.measure(servers, _frame(*size), rounds))
            for name, size in images.SIZES.items()
        }


def _watched(station: MeasuredStation, watchers: Sequence[int], seconds: float, say: Say) -> dict[str, Any]:
    asyncio.run(watching.measure(station, 1, _WARM_UP_S))  # memory that is taken once is taken
    return {
        str(count): _told(say, f"{count} watchers", asyncio.run(watching.measure(station, count, seconds)))
        for count in watchers
    }


def _line(station: MeasuredStation, watchers: Sequence[int], seconds: float, say: Say) -> dict[str, Any]:
    asyncio.run(watching.measure_line(station, 0, _WARM_UP_S))
    return {
        str(count): _told(say, f"line, {count} watch", asyncio.run(watching.measure_line(station, count, seconds)))
        for count in (0, *watchers)
    }


def _frame(width: int, height: int) -> Pixels:
    """Return a rendered part as Mono8 (height, width)."""
    grey = cv2.cvtColor(PartRenderer(1, width, height).render(0).pixels, cv2.COLOR_RGB2GRAY)
    return np.ascontiguousarray(grey, np.uint8)


def _told(say: Say, name: str, found: dict[str, Any]) -> dict[str, Any]:
    say(f"{name}: {found}")
    return found

"""How much memory the station takes, and whether it grows over an hour's worth of parts, as fast as they go."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from inspection.bench.frames import Setting, render_frames
from inspection.bench.pipeline import Say
from inspection.bench.station_load import running, station_config

HOUR_PARTS = 28_800  # eight a second
_SAMPLES = 40
_TRAVEL_S = 0.4  # a rejected part keeps its frame until its pulse


def run(setting: Setting, *, parts: int, say: Say) -> dict[str, Any]:
    """Run `parts` parts through a whole station and sample the resident memory of this process, in MB (10⁶ bytes).

    growth_mb_per_hour: slope of a straight line through the samples of the second half, times `parts`; the first half
    is the allocators' warm-up. ratio_to_half: last quarter's mean over the third quarter's.
    """
    process = psutil.Process()
    seen: list[tuple[int, float]] = []
    count = 0
    enough = threading.Event()
    with tempfile.TemporaryDirectory(prefix="lineward-bench-") as folder:
        frames, setting = render_frames(Path(folder) / "frames", setting)
        step = max(1, parts // _SAMPLES)

        def take(records: list[Any]) -> None:
            nonlocal count
            before, count = count, count + len(records)
            if count // step > before // step:
                seen.append((count, process.memory_info().rss / 1e6))
            if count >= parts:
                enough.set()

        with running(station_config(setting, frames, Path(folder) / "records", rate_hz=0, travel_s=_TRAVEL_S), take):
            while not enough.wait(5.0):
                say(f"{count} of {parts} parts, {process.memory_info().rss / 1e6:.0f} MB")
    half = np.array(seen[len(seen) // 2 :])
    slope_mb = float(np.polyfit(half[:, 0], half[:, 1], 1)[0])
    quarters = np.array_split(half[:, 1], 2)
    return {
        "parts": count,
        "peak_mb": round(max(mb for _, mb in seen), 1),
        "last_mb": round(seen[-1][1], 1),
        "growth_mb_per_hour": round(slope_mb * parts, 2),
        "ratio_to_half": round(float(quarters[1].mean() / quarters[0].mean()), 4),
    }

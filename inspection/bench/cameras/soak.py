"""A day's worth of frames through a driver's process, as fast as they come: memory and open files of both processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from camera.backends import BACKENDS, is_installed, make_camera
from camera.frame import Frame
from camera.own_process.camera import IsolatedCamera

Say = Callable[[str], None]
DAY_FRAMES = 864_000  # ten a second for 24 hours
_SAMPLES = 40
_SIZE = (64, 64)
_KEPT = 8


def run(*, frames: int, say: Say) -> dict[str, Any]:
    """Take so many small frames and sample; returns first, last and slope of each figure.

    MB are 10⁶ bytes; slope_per_day: of a straight line through the samples of the second half (the first is the
    allocators' warm-up), times the frames of a day. pss: shared pages count by halves.
    """
    if not is_installed(BACKENDS["pylon"]):
        raise RuntimeError("the long run needs pylon's emulation; install it with: pip install 'lineward[pylon]'")
    features = {"ExposureTimeAbs": 100.0, "AcquisitionFrameRateAbs": 5000.0}
    options: dict[str, object] = {"emulated": True, "pixel_format": "Mono8", "roi": (0, 0, *_SIZE)}
    camera = make_camera("pylon", "soak", options | {"frame_rate_hz": 5000.0, "features": features})
    assert isinstance(camera, IsolatedCamera)
    with camera:
        camera.start()
        return _watched(camera, frames, say)


def _watched(camera: IsolatedCamera, frames: int, say: Say) -> dict[str, Any]:
    kept: list[Frame | None] = [None] * _KEPT
    count = broken = lost = 0
    step = max(1, frames // _SAMPLES)
    samples: list[dict[str, float]] = []
    began_s = time.monotonic()
    while count < frames:
        taken = camera.grab(None, 1.0)
        if isinstance(taken, Frame):
            kept[count % _KEPT] = taken
            count += 1
            lost += taken.lost_before
            if count % step == 0:
                samples.append({"frames": count} | _sample(camera))
                say(f"{count} frames: {samples[-1]}")
        else:
            broken += taken is not None
    seconds = time.monotonic() - began_s
    result: dict[str, Any] = {"frames": count, "broken": broken, "lost": lost, "frames_per_s": round(count / seconds)}
    return result | {name: _line(samples, name) for name in samples[0] if name != "frames"}


def _sample(camera: IsolatedCamera) -> dict[str, float]:
    assert camera.process_id is not None
    result: dict[str, float] = {}
    for who, pid in (("station", os.getpid()), ("driver", camera.process_id)):
        process = psutil.Process(pid)
        memory = process.memory_full_info()
        result[f"{who}_rss_mb"] = round(memory.rss / 1e6, 3)
        result[f"{who}_pss_mb"] = round(memory.pss / 1e6, 3)
        result[f"{who}_files"] = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        result[f"{who}_threads"] = process.num_threads()
    return result


def _line(samples: list[dict[str, float]], name: str) -> dict[str, float]:
    """Return first, last and slope of one figure."""
    half = samples[len(samples) // 2 :]
    frames, values = [one["frames"] for one in half], [one[name] for one in half]
    slope = float(np.polyfit(frames, values, 1)[0]) * DAY_FRAMES if len(half) > 1 else 0.0
    return {"first": samples[0][name], "last": samples[-1][name], "slope_per_day": round(slope, 3)}

"""The load on a peer: as many frames a second as it takes, and how long each takes at a given rate."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

Call = Callable[[Any], object]


def read_request() -> dict[str, Any]:
    """Return what is to be measured: model, frames (uint8, n × H × W × 3 RGB), side, seconds, rate_hz, in_flight."""
    request: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    request["frames"] = np.load(request["frames"])
    cv2.setNumThreads(1)
    return request


def fit(frame: Any, side: int) -> Any:
    """Bring a frame to size as fast as the station does: exact halves first; OpenCV's area resampling alone is slow."""
    while min(frame.shape[:2]) >= 2 * side and not (frame.shape[0] % 2 or frame.shape[1] % 2):
        frame = cv2.resize(frame, (frame.shape[1] // 2, frame.shape[0] // 2), interpolation=cv2.INTER_AREA)
    return cv2.resize(frame, (side, side), interpolation=cv2.INTER_AREA)


def measure(call: Call, request: dict[str, Any]) -> None:
    """Print parts_per_s with `in_flight` callers, then p50_ms and p99_ms of frames that come at `rate_hz`."""
    frames, seconds = request["frames"], float(request["seconds"])
    for frame in frames[:4]:
        call(frame)
    result = {"parts_per_s": _throughput(call, frames, seconds, int(request["in_flight"]))}
    result |= _latency(call, frames, seconds, float(request["rate_hz"]), int(request["in_flight"]))
    print(json.dumps(result))


def _throughput(call: Call, frames: Any, seconds: float, in_flight: int) -> float:
    end_s = time.monotonic() + seconds
    counts = [0] * in_flight

    def loop(caller: int) -> None:
        while time.monotonic() < end_s:
            call(frames[counts[caller] % len(frames)])
            counts[caller] += 1

    began_s = time.monotonic()
    _in_threads(loop, in_flight)
    return round(sum(counts) / (time.monotonic() - began_s), 2)


def _latency(call: Call, frames: Any, seconds: float, rate_hz: float, in_flight: int) -> dict[str, float]:
    """Frames come by the clock, whether or not the one before is done; latency counts from when a frame came."""
    began_s = time.monotonic() + 0.1
    total = max(20, round(seconds * rate_hz))
    taken_ms: list[float] = []
    numbers = iter(range(total))
    lock = threading.Lock()

    def loop(_caller: int) -> None:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            comes_s = began_s + number / rate_hz
            time.sleep(max(0.0, comes_s - time.monotonic()))
            call(frames[number % len(frames)])
            taken_ms.append((time.monotonic() - comes_s) * 1e3)

    _in_threads(loop, in_flight)
    p50, p99 = np.percentile(taken_ms, [50, 99])
    return {"p50_ms": round(float(p50), 2), "p99_ms": round(float(p99), 2)}


def _in_threads(loop: Callable[[int], None], count: int) -> None:
    threads = [threading.Thread(target=loop, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

"""Our driver in its own process beside the bare loop of the same SDK: rate, losses, CPU, copies and latency."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from camera.interface import Camera
from camera.own_process.camera import IsolatedCamera
from inspection.bench.cameras.counterparts import Counterpart
from inspection.bench.cameras.station_side import StationSide
from inspection.bench.cameras.tally import WARM_UP_S, Tally, percentiles

Say = Callable[[str], None]
_SUSTAINED = 0.97  # of what was asked for
_READINGS = 20


def measure(counterpart: Counterpart, *, seconds: float, rounds: int, say: Say) -> dict[str, Any]:
    """Let our driver and the bare loop grab in turns; return medians of both, and of our rate to the bare one's.

    The order changes with each round. MB are 10⁶ bytes of pixels. copies_per_frame: bytes that our code copied on the
    frame's way in both processes, counted where they are copied, over the bytes of the frames.
    """
    if counterpart.most_hz:
        counterpart = sustained(counterpart, min(seconds, 2.0), say)
    offset_ns = clock_offset_ns(counterpart)
    ours, bare = [], []
    for number in range(rounds):
        for is_ours in (number % 2 == 0, number % 2 == 1):
            if is_ours:
                ours.append(grab(counterpart, seconds, offset_ns))
            else:
                bare.append(counterpart.run_bare(seconds, offset_ns=offset_ns))
        say(f"{counterpart.name}: {ours[-1]['frames_per_s']:.1f} frames/s, bare {bare[-1]['frames_per_s']:.1f}")
    ratios = [mine["frames_per_s"] / other["frames_per_s"] for mine, other in zip(ours, bare, strict=True)]
    megabytes = counterpart.width * counterpart.height / 1e6
    return {
        "counterpart": counterpart.name,
        "asked_hz": counterpart.rate_hz,
        "ratio": round(statistics.median(ratios), 4),
        "ratios": [round(ratio, 4) for ratio in ratios],
        "ours": _medians(ours, megabytes),
        "bare": _medians(bare, megabytes),
    }


def sustained(counterpart: Counterpart, seconds: float, say: Say) -> Counterpart:
    """Return it at the highest of its rates at which the bare loop loses nothing; at the lowest one otherwise."""
    for rate_hz in counterpart.most_hz:
        tried = counterpart.at(rate_hz)
        found = tried.run_bare(seconds)
        say(
            f"{counterpart.name}: {rate_hz:g} Hz asked, bare {found['frames_per_s']:.1f} frames/s, "
            f"{found['broken']} broken, {found['lost']} lost"
        )
        if found["frames_per_s"] >= _SUSTAINED * rate_hz and not found["broken"] and not found["lost"]:
            break
    return tried


def clock_offset_ns(counterpart: Counterpart) -> int | None:
    """Return what this machine's clock is ahead of the device's; None where the device's cannot be asked.

    Of some readings the one that was read the soonest after the device's clock moved: late by less than a tick.
    """
    with counterpart.camera() as camera:
        camera.start()
        readings = [reading for _ in range(_READINGS) if (reading := camera.read_clock()) is not None]
    return min((reading.before_host_ns - reading.device_ns for reading in readings), default=None)


def grab(counterpart: Counterpart, seconds: float, offset_ns: int | None) -> dict[str, Any]:
    """Grab for so long as the station does, and return what came. Raises CameraError."""
    camera = counterpart.camera()
    camera.open()
    try:
        return _grabbed(camera, counterpart, seconds, offset_ns)
    finally:
        camera.close()


def _grabbed(camera: Camera, counterpart: Counterpart, seconds: float, offset_ns: int | None) -> dict[str, Any]:
    tally = Tally(offset_ns)
    side = StationSide(camera, tally)
    side.start()
    try:
        time.sleep(WARM_UP_S)
        before_ns, counted_before, frames_before = _driver_cpu_ns(camera), camera.counters(), side.frames
        time.sleep(seconds)
        result = tally.result()
        driver_ns, counted, frames = _driver_cpu_ns(camera) - before_ns, camera.counters(), side.frames - frames_before
    finally:
        side.stop()
    if side.why is not None:
        raise side.why
    copied = counted["copied_bytes"] - counted_before["copied_bytes"]
    result["driver_core_ms_per_frame"] = driver_ns / 1e6 / max(1, frames)
    result["copies_per_frame"] = copied / max(1, frames) / (counterpart.width * counterpart.height)
    return result | percentiles("driver_to_hands", side.hops_ns)


def _driver_cpu_ns(camera: Camera) -> int:
    """Return the CPU time of the driver's process so far: the clock of another process (clock_getcpuclockid(3))."""
    assert isinstance(camera, IsolatedCamera)
    assert camera.process_id is not None
    return time.clock_gettime_ns((~camera.process_id << 3) | 2)


def _medians(found: list[dict[str, Any]], megabytes: float) -> dict[str, Any]:
    """Return the median of each figure; the sum of what was broken or lost."""
    result: dict[str, Any] = {}
    for key in found[0]:
        values = [one[key] for one in found if key in one]
        result[key] = sum(values) if key in ("frames", "broken", "lost") else round(statistics.median(values), 4)
    result["mb_per_s"] = round(result["frames_per_s"] * megabytes, 1)
    return result

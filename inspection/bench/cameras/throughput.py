"""Our driver in its own process beside the bare loop of the same SDK: rate, losses, CPU, copies and latency."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from camera.interface import Camera
from camera.own_process.camera import IsolatedCamera
from inspection.bench.cameras.counterparts import Counterpart
from inspection.bench.cameras.station_side import StationSide
from inspection.bench.cameras.tally import WARM_UP_S, Tally, percentiles

Say = Callable[[str], None]
_SUSTAINED = 0.97  # of what was asked for
_READINGS = 20
_SUMMED = ("frames", "broken", "lost", "losses")


def measure(counterpart: Counterpart, *, seconds: float, rounds: int, say: Say) -> dict[str, Any]:
    """Let our driver and the bare loop grab in turns; return medians, and of our rate to the bare one's.

    The order changes with each round. copying: the bare loop with one copy of each frame, which shows what that costs.
    MB are 10⁶ bytes of pixels. copies_per_frame: bytes that our code copied on the frame's way in both processes,
    counted where they are copied, over the bytes of the frames.
    """
    if counterpart.most_hz:
        counterpart = sustained(counterpart, min(seconds, 2.0), say)
    offset_ns = clock_offset_ns(counterpart)
    ways: dict[str, Callable[[], dict[str, Any]]] = {
        "ours": lambda: grab(counterpart, seconds, offset_ns),
        "bare": lambda: counterpart.run_bare(seconds, offset_ns=offset_ns),
        "copying": lambda: counterpart.run_bare(seconds, offset_ns=offset_ns, copies=True),
    }
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in ways}
    for number in range(rounds):
        for name in sorted(ways, reverse=number % 2 == 1):
            found[name].append(ways[name]())
        rates = ", ".join(f"{name} {found[name][-1]['frames_per_s']:.1f}" for name in ways)
        say(f"{counterpart.name}: {rates} frames/s")
    megabytes = counterpart.width * counterpart.height / 1e6
    return {
        "counterpart": counterpart.name,
        "asked_hz": counterpart.rate_hz,
        "to_bare": _ratio(found["ours"], found["bare"]),
        "to_bare_that_copies": _ratio(found["ours"], found["copying"]),
        **{name: _medians(runs, megabytes) for name, runs in found.items()},
    }


def _ratio(ours: list[dict[str, Any]], other: list[dict[str, Any]]) -> float:
    """Return the median over the rounds of our rate to the other one's."""
    rates = [mine["frames_per_s"] / theirs["frames_per_s"] for mine, theirs in zip(ours, other, strict=True)]
    return round(float(statistics.median(rates)), 4)


def sustained(counterpart: Counterpart, seconds: float, say: Say) -> Counterpart:
    """Return it at the highest of its rates at which the bare loop loses nothing; at the lowest one otherwise."""
    for rate_hz in counterpart.most_hz:
        tried = counterpart.at(rate_hz)
        try:
            found = tried.run_bare(seconds)
        except RuntimeError as error:
            say(f"{counterpart.name}: {rate_hz:g} Hz asked: {str(error).splitlines()[-1]}")
            continue
        say(
            f"{counterpart.name}: {rate_hz:g} Hz asked, bare {found['frames_per_s']:.1f} frames/s, "
            f"{found['broken']} broken, {found['lost']} lost"
        )
        if found["frames_per_s"] >= _SUSTAINED * rate_hz and not found["broken"] and not found["lost"]:
            break
    return tried


def clock_offset_ns(counterpart: Counterpart) -> int | None:
    """Return what this machine's clock is ahead of the device's, to some ms; None where the device's cannot be asked.

    Each reading bounds it from both sides; the middle of what all of them leave is taken. The device waits meanwhile.
    """
    waiting = replace(counterpart, options=counterpart.options | {"trigger": "software"})
    with waiting.camera() as camera:
        camera.start()
        readings = [reading for _ in range(_READINGS) if (reading := camera.read_clock()) is not None]
    if not readings:
        return None
    least = max(reading.before_host_ns - reading.device_ns for reading in readings)
    most = min(reading.after_host_ns - reading.device_ns for reading in readings)
    return (least + most) // 2


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
    if side.why is not None and not result["frames"]:
        raise side.why
    result["losses"] = side.losses
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
        result[key] = sum(values) if key in _SUMMED else round(statistics.median(values), 4)
    result["mb_per_s"] = round(result["frames_per_s"] * megabytes, 1)
    return result

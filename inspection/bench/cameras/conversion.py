"""Raw frames of five megapixels to images: `camera.pixels` beside OpenCV's own call, or a copy where it has none."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from camera.frame import Pixels
from camera.genicam.pfnc import bytes_per_row
from camera.pixels import image_of

Say = Callable[[str], None]
_ROWS, _COLUMNS = 2048, 2448
_FORMATS = (
    "Mono8", "Mono10", "Mono12", "Mono16", "Mono10p", "Mono12p", "Mono10Packed", "Mono12Packed",
    "BayerRG8", "BayerRG12", "BayerRG12p", "BayerRG10p", "BayerRG12Packed",
    "RGB8", "BGR8", "YUV422_8", "YUV422_8_UYVY",
)  # fmt: skip


def run(*, rounds: int, seconds: float, say: Say) -> list[dict[str, Any]]:
    """Convert in turns with the reference; GB/s are 10⁹ bytes of the raw frame. ratio: ours to the reference's rate.

    Of a packed format OpenCV reads nothing: the reference is the fastest pass of its over the same bytes that makes the
    same image: its shift of unpacked samples, and its demosaicing.
    """
    noise = np.random.default_rng(0)
    lines = []
    for name in _FORMATS:
        row_bytes = bytes_per_row(name, _COLUMNS)
        raw = noise.integers(0, 256, (_ROWS, row_bytes), np.uint8)
        if name in ("RGB8", "BGR8"):
            raw = raw.reshape(_ROWS, _COLUMNS, 3)
        call, reference = _reference(name, raw)
        found = [(_ms(lambda raw=raw, name=name: image_of(raw, name), seconds), _ms(call, seconds))  # type: ignore[misc]
                 for _ in range(rounds)]  # fmt: skip
        ours, other = (statistics.median(column) for column in zip(*found, strict=True))
        line = {
            "format": name,
            "ours_ms": round(ours, 3),
            "gb_per_s": round(raw.nbytes / ours / 1e6, 2),
            "reference": reference,
            "reference_ms": round(other, 3),
            "ratio": round(statistics.median(b / a for a, b in found), 3),
        }
        say(f"{name}: {ours:.2f} ms; {reference}: {other:.2f} ms")
        lines.append(line)
    return lines


def _reference(name: str, raw: Pixels) -> tuple[Callable[[], object], str]:
    """Return OpenCV's own way to the same image, and its name."""
    if name in ("YUV422_8", "YUV422_8_UYVY"):
        code = cv2.COLOR_YUV2RGB_YUY2 if name == "YUV422_8" else cv2.COLOR_YUV2RGB_UYVY
        pairs = raw.reshape(_ROWS, _COLUMNS, 2)
        return lambda: cv2.cvtColor(pairs, code), "cv2.cvtColor"
    if name == "BGR8":
        return lambda: cv2.cvtColor(raw, cv2.COLOR_BGR2RGB), "cv2.cvtColor"
    if name in ("RGB8", "Mono8"):
        return raw.copy, "a copy"
    is_bayer = name.startswith("Bayer")
    depth = name.removeprefix("BayerRG").removeprefix("Mono")
    bits = int("".join(character for character in depth if character.isdigit()))
    if bits == 8:
        return lambda: cv2.cvtColor(raw, cv2.COLOR_BayerRGGB2RGB), "cv2.cvtColor"
    words = np.ascontiguousarray(raw).reshape(-1)[: _ROWS * _COLUMNS * 2].view("<u2") if depth.isdigit() else None
    plain = np.zeros((_ROWS, _COLUMNS), np.uint16) if words is None else words.reshape(_ROWS, _COLUMNS)
    scale = 1 / (1 << bits - 8)
    if is_bayer:
        return (
            lambda: cv2.cvtColor(cv2.convertScaleAbs(plain, alpha=scale), cv2.COLOR_BayerRGGB2RGB),
            "cv2.convertScaleAbs, cv2.cvtColor" + ("" if words is not None else " (of unpacked samples)"),
        )
    return (
        lambda: cv2.convertScaleAbs(plain, alpha=scale),
        "cv2.convertScaleAbs" + ("" if words is not None else " (of unpacked samples)"),
    )


def _ms(call: Callable[[], object], seconds: float) -> float:
    """Return the median time of one call in ms."""
    call()
    times: list[float] = []
    until_s = time.monotonic() + seconds
    while not times or time.monotonic() < until_s:
        began_ns = time.perf_counter_ns()
        call()
        times.append((time.perf_counter_ns() - began_ns) / 1e6)
    return statistics.median(times)

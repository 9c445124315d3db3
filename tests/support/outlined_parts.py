"""Small grey parts with dots and bars on them, and masks that say where: a data set that a tiny network can learn."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

KINDS = ("good", "bar", "dot")


def part(kind: str, seed: int, side: int = 64) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return a part (side, side) and the mask of its defect, 255 where it is."""
    random = np.random.default_rng([KINDS.index(kind), seed])
    pixels = cv2.GaussianBlur(random.normal(120, 25, (side, side)).astype(np.float32), (0, 0), 1.5)
    mask = np.zeros((side, side), np.uint8)
    x, y = (int(value) for value in random.integers(side // 5, side - side // 5, 2))
    if kind == "dot":
        cv2.circle(mask, (x, y), int(random.integers(2, 5)), 255.0, -1)
    elif kind == "bar":
        reach = int(random.integers(side // 8, side // 5))
        cv2.line(mask, (x - reach, y), (x + reach, y), 255.0, 2)
    pixels = np.where(mask > 0, 230 if kind == "dot" else 15, np.asarray(pixels))
    return np.clip(pixels, 0, 255).astype(np.uint8), mask


def write_outlined(root: Path, pieces: int, side: int = 64, *, masks: bool = True) -> Path:
    """Write class folders with `pieces` images of each kind (twice as many good ones), masks as PNG beside BMP."""
    for kind in KINDS:
        (root / kind).mkdir(parents=True)
        for seed in range(pieces * (2 if kind == "good" else 1)):
            pixels, mask = part(kind, seed, side)
            assert cv2.imwrite(str(root / kind / f"{kind}{seed}.bmp"), pixels)
            if masks and kind != "good":
                assert cv2.imwrite(str(root / kind / f"{kind}{seed}.png"), mask)
    return root

"""A folder of pictures that a replayed camera shows as parts, for the tiny model."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

BRIGHT, DARK = 230, 20


def belt(folder: Path) -> Path:
    """Ten parts, every fifth one bright, which is defective."""
    folder.mkdir()
    for number in range(10):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((48, 64), BRIGHT if number % 5 == 0 else DARK, np.uint8))
    return folder

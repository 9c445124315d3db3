"""Changes of an image that leave its label true: what light and mounting do from part to part.

Nothing blurs or adds noise: at the input size a scratch is a pixel wide, and a good label would be put on what is left.
"""

from __future__ import annotations

import os
import random
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# The library asks the package index for its newest version when it is imported; a plant's PC must stay silent.
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"

import albumentations as A  # noqa: N812


class Augmentation:
    """Random changes of uint8 (h, w, c); used from one thread, which seeds it."""

    def __init__(self, *, flips: bool, moves: bool, light: bool = True) -> None:
        steps: list[Any] = [A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5)] if flips else []
        if moves:
            steps.append(
                A.Affine(
                    scale=(0.95, 1.05),
                    translate_percent=(-0.03, 0.03),
                    rotate=(-4, 4),
                    border_mode=cv2.BORDER_REPLICATE,
                    p=0.7,
                )
            )
        if light:
            steps.append(A.RandomBrightnessContrast(brightness_limit=0.15, contrast_limit=0.15, p=0.7))
        self._chain = A.Compose(steps, seed=0, mask_interpolation=cv2.INTER_NEAREST)
        # OpenCV would cut each small image up for threads of its own and wait for them: on a busy machine, for long.
        cv2.setNumThreads(1)

    def seed(self, *numbers: int) -> None:
        """Begin anew, with the random sequence that belongs to these numbers.

        All steps draw from one sequence: the library's own seeding gives each of them the same one, so that an image
        would be mirrored in both directions or in none.
        """
        drawn = np.random.default_rng(numbers)
        self._chain.set_random_state(drawn, random.Random(int(drawn.integers(2**63))))

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Change one image (h, w, c); the result has the same shape and type."""
        changed: NDArray[np.uint8] = self._chain(image=pixels)["image"]
        return changed.reshape(pixels.shape)

    def with_mask(
        self, pixels: NDArray[np.uint8], mask: NDArray[np.uint8]
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Change one image (h, w, c) and its mask of class indices (h, w) alike; what is marked stays on it.

        A pixel of a turned mask is that of the nearest one before, so that what is thinner than three pixels would get
        holes or vanish: it is thickened by one before.
        """
        changed = self._chain(image=pixels, mask=_thickened(mask))
        moved: NDArray[np.uint8] = changed["mask"]
        return changed["image"].reshape(pixels.shape), moved


def _thickened(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Widen the thin parts of what is marked (neither 0 nor 255) by a pixel, where nothing else is marked."""
    marked = (mask > 0) & (mask < 255)
    if not marked.any():
        return mask
    square = np.ones((3, 3), np.uint8)
    thin = marked & (np.asarray(cv2.morphologyEx(marked.astype(np.uint8), cv2.MORPH_OPEN, square)) == 0)
    around = np.asarray(cv2.dilate(mask * thin, square), np.uint8)
    return np.where(mask == 0, around, mask)

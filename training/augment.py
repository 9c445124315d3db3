"""Changes of an image that leave its label true: what light and mounting do from part to part.

Nothing blurs or adds noise: at the input size a scratch is a pixel wide, and a good label would be put on what is left.
"""

from __future__ import annotations

import os
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# The library asks the package index for its newest version when it is imported; a plant's PC must stay silent.
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"

import albumentations as A  # noqa: N812


class Augmentation:
    """Random changes of uint8 (h, w, c); owned by the fitting, which seeds it for each epoch."""

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
        self._chain = A.Compose(steps, seed=0)
        # OpenCV would cut each small image up for threads of its own and wait for them: on a busy machine, for long.
        cv2.setNumThreads(1)

    def seed(self, seed: int) -> None:
        """Begin the random sequence anew."""
        self._chain.set_random_seed(seed)

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Change one image (h, w, c); the result has the same shape and type."""
        changed: NDArray[np.uint8] = self._chain(image=pixels)["image"]
        return changed.reshape(pixels.shape)

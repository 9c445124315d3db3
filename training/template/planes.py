"""What the network sees of a photo and its golden image: both, and where one lies outside the other's tolerance."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from training.template.locate import fixed_size, inside

TOLERANCE_PX = 1
_GAIN = (0.7, 1.4)
_OFFSET = 40.0


def planes_of(channels: int) -> int:
    """Give how many planes `compare` makes of images of so many channels."""
    return 4 * channels


def level(photo: Tensor, golden: Tensor, shift: Tensor) -> Tensor:
    """Bring photos that were moved onto their golden images, both (n, c, h, w) in 0..255, to their brightness.

    Gain and offset follow the golden image within 0.7..1.4 and 40 grey levels: what lies beyond stays a difference.
    What the shift (n, 2) moved in from outside of the photo is the golden image itself.
    """
    _, height, width = fixed_size(photo)
    seen = inside(shift, height, width, TOLERANCE_PX)
    return golden + seen * (_levelled(photo, golden, seen) - golden)


def compare(photo: Tensor, golden: Tensor) -> Tensor:
    """Give the planes (n, 4 c, h, w), 0..1, of photos that `level` gave: both pictures, and what is lighter or darker.

    Lighter is what exceeds the lightest golden pixel within a pixel around, darker what falls below the darkest one: so
    an edge may lie a pixel beside.
    """
    side = 2 * TOLERANCE_PX + 1
    lightest = functional.max_pool2d(golden, side, 1, TOLERANCE_PX)
    darkest = -functional.max_pool2d(-golden, side, 1, TOLERANCE_PX)
    lighter, darker = (photo - lightest).clamp_min(0.0), (darkest - photo).clamp_min(0.0)
    return torch.cat([photo, golden, lighter, darker], 1) / 255.0


def compare_crop(photo: NDArray[np.float32], golden: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Give the planes of one photo as `compare` does, (h, w, c) to (h, w, 4 c), at a fifth of its cost in training."""
    channels = golden.shape[2]
    around = np.ones((2 * TOLERANCE_PX + 1,) * 2, np.uint8)
    planes = np.empty((*golden.shape[:2], planes_of(channels)), np.float32)
    planes[..., :channels] = photo
    planes[..., channels : 2 * channels] = golden
    lightest, darkest = (change(golden, around).reshape(golden.shape) for change in (cv2.dilate, cv2.erode))
    np.maximum(photo - lightest, 0.0, out=planes[..., 2 * channels : 3 * channels])
    np.maximum(darkest - photo, 0.0, out=planes[..., 3 * channels :])
    planes *= np.float32(1.0 / 255.0)
    return planes


def _levelled(photo: Tensor, golden: Tensor, seen: Tensor) -> Tensor:
    """Bring the photos' mean and spread to those of the golden images, over what is seen, all channels alike."""
    count = _total(seen).clamp_min(1.0) * fixed_size(photo)[0]

    def mean_and_spread(images: Tensor) -> tuple[Tensor, Tensor]:
        mean = _total(images * seen) / count
        return mean, (_total(((images - mean) * seen).square()) / count).sqrt()

    (mean, spread), (wanted_mean, wanted_spread) = mean_and_spread(photo), mean_and_spread(golden)
    gain = (wanted_spread / spread.clamp_min(1.0)).clamp(*_GAIN)
    offset = (wanted_mean - mean).clamp(-_OFFSET, _OFFSET)
    return ((photo - mean) * gain + mean + offset).clamp(0.0, 255.0)


def _total(values: Tensor) -> Tensor:
    """Sum (n, c, h, w) up to (n, 1, 1, 1), side by side.

    An engine that adds 400,000 values one by one in single precision loses four digits, of which a level then is off.
    """
    return values.sum(3, keepdim=True).sum(2, keepdim=True).sum(1, keepdim=True)

"""Forward passes of whole sets of images, a few at a time, in evaluation mode."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.deployed import Deployed

Pixels = NDArray[np.uint8]


def score_pixels(
    model: Deployed, pixels: Pixels, batch_size: int, advance: Callable[[], None] = lambda: None
) -> NDArray[np.float32]:
    """Score uint8 (n, h, w, c) in evaluation mode: raw scores float32 (n, classes)."""
    model.eval()
    scores: list[NDArray[np.float32]] = []
    with torch.inference_mode():
        for start in range(0, len(pixels), batch_size):
            batch = torch.from_numpy(np.array(pixels[start : start + batch_size]))
            scores.append(model(batch.to(model.mean.device)).cpu().numpy())
            advance()
    return np.concatenate(scores)


def run_outputs(model: nn.Module, pixels: Pixels, batch_size: int) -> tuple[NDArray[np.float32], ...]:
    """Give all that a model says of uint8 (n, h, w, c) in evaluation mode, the scores (n, classes) first."""
    model.eval()
    found: list[tuple[Tensor, ...]] = []
    with torch.inference_mode():
        for start in range(0, len(pixels), batch_size):
            given = model(torch.from_numpy(np.array(pixels[start : start + batch_size])))
            found.append(given if isinstance(given, tuple) else (given,))
    return tuple(torch.cat(parts).numpy() for parts in zip(*found, strict=True))


def run_module(
    model: nn.Module, pixels: Pixels, batch_size: int
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Give the scores (n, classes) of uint8 (n, h, w, c) in evaluation mode and, where the model has one, the map.

    The model tells no novelty yet.
    """
    given = run_outputs(model, pixels, batch_size)
    return given[0], given[1] if len(given) > 1 else None

"""The one place where drivers copy pixels into memory that was given, so that copies are counted and not asserted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_copied = [0]


def put(target: NDArray[Any], source: NDArray[Any]) -> None:
    """Copy pixels of the same shape into memory that is there, and count their bytes. For grabbing threads."""
    np.copyto(target, source)
    _copied[0] += source.nbytes


def check_room(camera: str, into: NDArray[Any] | None, needed: int) -> None:
    """Raise ValueError for a buffer that cannot hold a frame of `needed` bytes; None is always well."""
    if into is None or (into.ndim == 1 and into.size >= needed and into.dtype == np.uint8 and into.flags.c_contiguous):
        return
    raise ValueError(
        f"camera '{camera}': the buffer is {into.dtype} of shape {into.shape}, the frame needs {needed} bytes; pass a "
        "flat, contiguous uint8 buffer that large"
    )


def copied_bytes() -> int:
    """Return how many bytes were copied in this process since it began; exact where one thread grabs."""
    return _copied[0]

"""The pictures of a part's views as one picture, side by side: what is stored and shown of a part with several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Place = tuple[int, int, int, int]
"""x, y, width, height in pixels of the sheet."""


def places(shapes: Sequence[tuple[int, ...]]) -> list[Place]:
    """Return where each picture of shape (height, width, …) lies: from left to right, their tops aligned."""
    result, x = [], 0
    for height, width, *_ in shapes:
        result.append((x, 0, width, height))
        x += width
    return result


@dataclass(frozen=True, slots=True)
class Sheet:
    """Pictures that are joined only when somebody looks: most passed parts' never are. Safe in any thread.

    views: uint8, each (height, width) or (height, width, 3) RGB, or what becomes such an array; the
        space below a lower one is black.
    """

    views: tuple[Any, ...]

    @property
    def nbytes(self) -> int:
        """What the views hold in memory, in bytes."""
        return sum(view.nbytes for view in self.views)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        """Join the views: (highest, sum of widths), with 3 channels where any view has them."""
        del copy
        boxes = places([view.shape for view in self.views])
        size = (max(box[3] for box in boxes), boxes[-1][0] + boxes[-1][2])
        coloured = any(view.ndim == 3 for view in self.views)
        sheet = np.zeros((*size, 3) if coloured else size, np.uint8)
        for view, (x, _, width, height) in zip(self.views, boxes, strict=True):
            picture = np.asarray(view)
            sheet[:height, x : x + width] = picture[..., None] if coloured and picture.ndim == 2 else picture
        return sheet if dtype is None else sheet.astype(dtype)

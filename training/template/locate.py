"""Which golden image a photo shows, and how many pixels beside it the part lies."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

_CELLS = 32  # along the shorter side of the picture in which the search begins
_REACH_CELLS = 2
_TINY = 1e-6


class Locate(nn.Module):
    """The search for golden image and shift; `Comparing` owns it.

    It begins with cells of `cell` pixels (a power of two): every golden image against the photo moved by up to two
    cells either way, by normalised correlation. From there it halves the cells down to single pixels, and looks one or
    two cells around at each step. So a part may lie `reach_px` beside in each direction. Turned parts stay so.
    """

    keys: Tensor

    def __init__(self, goldens: NDArray[np.uint8]) -> None:
        super().__init__()
        _, height, width, _ = goldens.shape
        self.cell = 1
        while 2 * self.cell * _CELLS <= min(height, width):
            self.cell *= 2
        self.size = (height, width)
        keys = [self._key(torch.from_numpy(np.array(golden)).permute(2, 0, 1)[None].float()) for golden in goldens]
        self.register_buffer("keys", torch.cat(keys))

    @property
    def reach_px(self) -> int:
        """Give how far beside its golden image a part may lie."""
        return _REACH_CELLS * self.cell

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Choose for images (n, c, h, w): number of the golden image int64 (n,), shift in cells int64 (n, 2)."""
        likeness = self._likeness(images)
        best, shift_of_each = likeness.max(1)
        rows = best.argmax(1)
        return rows, self._cells(shift_of_each.gather(1, rows[:, None])[:, 0])

    def coarse(self, images: Tensor, rows: Tensor) -> Tensor:
        """Give the shift in cells int64 (n, 2) against golden images that are known."""
        likeness = self._likeness(images)
        of_row = likeness.gather(2, rows.view(-1, 1, 1).expand(-1, likeness.shape[1], 1))[:, :, 0]
        return self._cells(of_row.argmax(1))

    def refine(self, images: Tensor, goldens: Tensor, cells: Tensor) -> tuple[Tensor, Tensor]:
        """Go from a shift in cells to pixels int64 (n, 2), and tell the correlation there, float (n,).

        images, goldens: (n, c, h, w). A shift (dy, dx) says that what the golden image has at (y, x) the photo has at
        (y + dy, x + dx). The correlation is that of a quarter of the size, or of single pixels in small ones.
        """
        photo, golden = images.mean(1, keepdim=True), goldens.mean(1, keepdim=True)
        shift, correlation = cells, torch.zeros_like(photo[:, 0, 0, 0])
        told_at = min(4, self.cell)
        scale = self.cell
        while True:
            around = 1 if scale in (1, 2, self.cell) else 2
            moved = shifted(_pooled(photo, scale), shift)
            steps, found = _best_step(moved, _pooled(golden, scale), around)
            shift = shift + steps
            if scale == told_at:
                correlation = found
            if scale == 1:
                return shift, correlation
            scale //= 2
            shift = shift * 2

    def _key(self, images: Tensor) -> Tensor:
        cells = _pooled(images.mean(1, keepdim=True), self.cell)
        reach = _REACH_CELLS
        return _normal(cells[:, :, reach:-reach, reach:-reach].flatten(1))

    def _likeness(self, images: Tensor) -> Tensor:
        """Give the correlation of each shift with each golden image, (n, shifts, k)."""
        cells = _pooled(images.mean(1, keepdim=True), self.cell)
        side = 2 * _REACH_CELLS + 1
        rows, columns = cells.shape[2] - side + 1, cells.shape[3] - side + 1
        windows = [cells[:, 0, y : y + rows, x : x + columns].flatten(1) for y in range(side) for x in range(side)]
        return torch.stack([_normal(window) for window in windows], 1) @ self.keys.t()

    def _cells(self, number: Tensor) -> Tensor:
        side = 2 * _REACH_CELLS + 1
        y = torch.div(number, side, rounding_mode="trunc")
        return torch.stack([y, number - y * side], 1) - _REACH_CELLS


def shifted(images: Tensor, shift: Tensor) -> Tensor:
    """Give images (n, c, h, w) whose (y, x) is that of (y + dy, x + dx), the edge repeated; shift int64 (n, 2)."""
    channels, height, width = images.shape[1:]
    rows = (torch.arange(height)[None] + shift[:, :1]).clamp(0, height - 1)
    columns = (torch.arange(width)[None] + shift[:, 1:]).clamp(0, width - 1)
    index = (rows[:, :, None] * width + columns[:, None, :]).view(-1, 1, height * width)
    return images.flatten(2).gather(2, index.expand(-1, channels, -1)).view(-1, channels, height, width)


def inside(shift: Tensor, height: int, width: int, margin: int = 0) -> Tensor:
    """Tell where `shifted` has pixels of the photo and not its repeated edge: float (n, 1, h, w), 0 or 1."""
    rows = torch.arange(height)[None] + shift[:, :1]
    columns = torch.arange(width)[None] + shift[:, 1:]
    in_rows = ((rows >= margin) & (rows < height - margin)).float()
    in_columns = ((columns >= margin) & (columns < width - margin)).float()
    return (in_rows[:, :, None] * in_columns[:, None, :])[:, None]


def _pooled(images: Tensor, scale: int) -> Tensor:
    return images if scale == 1 else functional.avg_pool2d(images, scale)


def _normal(rows: Tensor) -> Tensor:
    """Give rows of mean 0 and length 1; a row without any contrast becomes 0."""
    free = rows - rows.mean(1, keepdim=True)
    return free / (free.square().sum(1, keepdim=True).sqrt() + _TINY * rows.shape[1])


def _best_step(photo: Tensor, golden: Tensor, around: int) -> tuple[Tensor, Tensor]:
    """Find the step of up to `around` cells at which pictures (n, 1, h, w) agree most, and the correlation there."""
    side = 2 * around + 1
    rows, columns = photo.shape[2] - side + 1, photo.shape[3] - side + 1
    fixed = golden[:, 0, around : around + rows, around : around + columns]
    fixed = fixed - fixed.mean((1, 2), keepdim=True)
    power = fixed.square().mean((1, 2))
    found = []
    for y in range(side):
        for x in range(side):
            window = photo[:, 0, y : y + rows, x : x + columns]
            spread = (window.square().mean((1, 2)) - window.mean((1, 2)).square()).clamp_min(0.0)
            found.append((window * fixed).mean((1, 2)) / ((power * spread).sqrt() + _TINY))
    best, number = torch.stack(found, 1).max(1)
    down = torch.div(number, side, rounding_mode="trunc")
    return torch.stack([down, number - down * side], 1) - around, best

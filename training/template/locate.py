"""Which golden image a photo shows, and how many pixels beside it the part lies."""

from __future__ import annotations

import warnings

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

    def refine(self, images: Tensor, goldens: Tensor, cells: Tensor) -> Tensor:
        """Go from a shift in cells to pixels, int64 (n, 2); images, goldens: (n, c, h, w).

        A shift (dy, dx) says that what the golden image has at (y, x) the photo has at (y + dy, x + dx).
        """
        photo, golden = images.mean(1, keepdim=True), goldens.mean(1, keepdim=True)
        shift, scale = cells, self.cell
        while True:
            around = 1 if scale in (1, 2, self.cell) else 2
            shift = shift + _best_step(shifted(_pooled(photo, scale), shift), _pooled(golden, scale), around)
            if scale == 1:
                return shift
            scale //= 2
            shift = shift * 2

    def likeness(self, images: Tensor, goldens: Tensor) -> Tensor:
        """Give the correlation (n,) of aligned images with golden ones, both (n, c, h, w), at a quarter of the size."""
        scale = min(4, self.cell)
        photo, golden = (_pooled(kind.mean(1, keepdim=True), scale).flatten(1) for kind in (images, goldens))
        return (_normal(photo) * _normal(golden)).sum(1)

    def _key(self, images: Tensor) -> Tensor:
        cells = _pooled(images.mean(1, keepdim=True), self.cell)
        reach = _REACH_CELLS
        return _normal(cells[:, :, reach:-reach, reach:-reach].flatten(1))

    def _likeness(self, images: Tensor) -> Tensor:
        """Give the correlation of each shift with each golden image, (n, shifts, k)."""
        cells = _pooled(images.mean(1, keepdim=True), self.cell)
        side = 2 * _REACH_CELLS + 1
        _, height, width = fixed_size(cells)
        rows, columns = height - side + 1, width - side + 1
        windows = [cells[:, 0, y : y + rows, x : x + columns].flatten(1) for y in range(side) for x in range(side)]
        return torch.stack([_normal(window) for window in windows], 1) @ self.keys.t()

    def _cells(self, number: Tensor) -> Tensor:
        side = 2 * _REACH_CELLS + 1
        y = torch.div(number, side, rounding_mode="trunc")
        return torch.stack([y, number - y * side], 1) - _REACH_CELLS


def fixed_size(images: Tensor) -> tuple[int, int, int]:
    """Give channels, height and width of images (n, c, h, w) as numbers: in the exported graph only n is free."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns that a number becomes fixed: it shall
        channels, height, width = (int(side) for side in images.shape[1:])
    return channels, height, width


def filled_up(images: Tensor, grain: int) -> Tensor:
    """Give images (n, c, h, w) with the last row and column repeated until both sides are multiples of `grain`."""
    _, height, width = fixed_size(images)
    if height % grain:
        images = images.index_select(2, torch.arange(height + -height % grain).clamp_max(height - 1))
    if width % grain:
        images = images.index_select(3, torch.arange(width + -width % grain).clamp_max(width - 1))
    return images


def shifted(images: Tensor, shift: Tensor) -> Tensor:
    """Give images (n, c, h, w) whose (y, x) is that of (y + dy, x + dx), the edge repeated; shift int64 (n, 2)."""
    channels, height, width = fixed_size(images)
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


def _best_step(photo: Tensor, golden: Tensor, around: int) -> Tensor:
    """Find the step of up to `around` cells at which pictures (n, 1, h, w) agree most, int64 (n, 2)."""
    side = 2 * around + 1
    _, height, width = fixed_size(photo)
    rows, columns = height - side + 1, width - side + 1
    fixed = golden[:, 0, around : around + rows, around : around + columns]
    fixed = fixed - fixed.mean((1, 2), keepdim=True)
    power = fixed.square().mean((1, 2))
    found = []
    for y in range(side):
        for x in range(side):
            window = photo[:, 0, y : y + rows, x : x + columns]
            spread = (window.square().mean((1, 2)) - window.mean((1, 2)).square()).clamp_min(0.0)
            found.append((window * fixed).mean((1, 2)) / ((power * spread).sqrt() + _TINY))
    number = torch.stack(found, 1).argmax(1)
    down = torch.div(number, side, rounding_mode="trunc")
    return torch.stack([down, number - down * side], 1) - around

"""What the comparing network learns from: crops of photos on their golden images, drawn by seed and epoch alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.settings import TrainSettings
from training.team import Team
from training.template.network import GRAIN, STRIDE
from training.template.planes import compare_crop

SIDE = 160
_ON_A_DEFECT = 0.75  # share of the crops of a marked photo that show a mark
_JITTER_PX = 1
_NOISE = 3.0


@dataclass(frozen=True, slots=True)
class Aligned:
    """Training photos on their golden images: a plain value; the arrays may lie on disk.

    photos: uint8 (n, h, w, c), levelled. goldens: uint8 (k, h, w, c), rows: whose photo (n,). cells: class of each cell
    (n, h / 4, w / 4) in places of the golden image, where `marked` (n,). types: (n, classes).
    """

    photos: NDArray[np.uint8]
    goldens: NDArray[np.uint8]
    rows: NDArray[np.intp]
    cells: NDArray[np.uint8]
    marked: NDArray[np.bool_]
    types: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Batch:
    """Crops of one step: planes (n, p, s, s), cells int64 (n, s / 4, s / 4), marked (n,), types (n, types but good)."""

    planes: Tensor
    cells: Tensor
    marked: Tensor
    types: Tensor

    def tensors(self) -> tuple[Tensor, ...]:
        """Give all of them, in this order."""
        return self.planes, self.cells, self.marked, self.types


class Crops:
    """The crops of one epoch; `make` may be called from several threads at once, in any order.

    One photo in three is a good one where there are both. A photo with marks shows one of them in three crops of four,
    rare types as often as common ones. Where a photo has a defect that nobody marked, photos are shown whole. With
    `flips` crops are mirrored and turned by right angles, photo and golden image alike; with `moves` the golden image
    lies up to a pixel beside.
    """

    def __init__(self, aligned: Aligned, settings: TrainSettings, epoch: int, team: Team) -> None:
        self._aligned, self._settings, self._epoch, self._team = aligned, settings, epoch, team
        self._share = _shares(aligned)
        height, width = aligned.photos.shape[1:3]
        whole = not aligned.marked.all()
        self._sides = (height, width) if whole else tuple(min(SIDE, side // GRAIN * GRAIN) for side in (height, width))

    def make(self, step: int) -> Batch:
        """Draw and cut the crops of a step, or of several processes this one's share of them."""
        aligned, settings, team = self._aligned, self._settings, self._team
        seed = (settings.seed, self._epoch, step)
        drawn = np.random.default_rng(seed).choice(len(self._share), size=settings.batch_size, p=self._share)
        places = np.arange(settings.batch_size)[team.rank :: team.size]
        chosen = drawn[places]
        crops = [
            _crop(
                aligned,
                int(drawn[place]),
                self._sides,
                np.random.default_rng([*seed, place]),
                flips=settings.flips,
                moves=settings.moves,
            )
            for place in places
        ]
        planes, cells = (np.stack(kind) for kind in zip(*crops, strict=True))
        return Batch(
            torch.from_numpy(planes).permute(0, 3, 1, 2),  # stays channels last: convolutions are faster so
            torch.from_numpy(cells.astype(np.int64)),
            torch.from_numpy(aligned.marked[chosen]),
            torch.from_numpy(aligned.types[chosen][:, 1:]),
        )


def _shares(aligned: Aligned) -> NDArray[np.float64]:
    good = aligned.types[:, 0]
    if good.all() or not good.any():
        return np.full(len(good), 1.0 / len(good))
    rarity = (aligned.types[~good] / np.maximum(aligned.types[~good].sum(0), 1)).max(1)
    share = np.empty(len(good))
    share[good] = 1 / 3 / good.sum()
    share[~good] = 2 / 3 * rarity / rarity.sum()
    return np.asarray(share / share.sum())


def _crop(
    aligned: Aligned, row: int, sides: tuple[int, ...], random: np.random.Generator, *, flips: bool, moves: bool
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Give planes (s, s, p) and cells (s / 4, s / 4) of a crop."""
    photo, golden, cells = aligned.photos[row], aligned.goldens[aligned.rows[row]], aligned.cells[row]
    top, left = _corner(cells, sides, random)
    y, x = top * STRIDE, left * STRIDE
    dy, dx = (int(step) for step in random.integers(-_JITTER_PX, _JITTER_PX + 1, 2)) if moves else (0, 0)
    height, width = photo.shape[:2]
    rows = np.clip(np.arange(y, y + sides[0]) + dy, 0, height - 1)
    columns = np.clip(np.arange(x, x + sides[1]) + dx, 0, width - 1)
    high, wide = -(-sides[0] // STRIDE), -(-sides[1] // STRIDE)
    kinds = (photo[rows][:, columns], golden[y : y + sides[0], x : x + sides[1]])
    cells = cells[top : top + high, left : left + wide]
    quarter, mirrored = _turns(random, sides) if flips else (0, False)
    cut, beside = (_turned(kind, quarter, mirrored=mirrored) for kind in kinds)
    seen = cut.astype(np.float32)
    if not _two_levelled(beside):
        seen = np.clip(seen + random.normal(0.0, random.uniform(0.0, _NOISE), seen.shape), 0, 255).astype(np.float32)
    return compare_crop(seen, beside), _turned(cells, quarter, mirrored=mirrored)


def _corner(cells: NDArray[np.uint8], sides: tuple[int, ...], random: np.random.Generator) -> tuple[int, int]:
    """Choose the upper left cell of a crop: so that it shows a mark, or anywhere."""
    room = [max(0, cells.shape[axis] - -(-sides[axis] // STRIDE)) for axis in (0, 1)]
    there = 1 + np.flatnonzero(np.bincount(cells.ravel())[1:])
    if len(there) and random.random() < _ON_A_DEFECT:
        ys, xs = np.nonzero(cells == random.choice(there))
        pick = int(random.integers(len(ys)))
        spans = [sides[axis] // STRIDE for axis in (0, 1)]
        corner = [int(at) - int(random.integers(span)) for at, span in zip((ys[pick], xs[pick]), spans, strict=True)]
    else:
        corner = [int(random.integers(free + 1)) for free in room]
    return min(max(corner[0], 0), room[0]), min(max(corner[1], 0), room[1])


def _two_levelled(golden: NDArray[np.uint8]) -> bool:
    some = golden[::7, ::7]
    return bool(((some == some.min()) | (some == some.max())).all())


def _turns(random: np.random.Generator, sides: tuple[int, ...]) -> tuple[int, bool]:
    quarter = int(random.integers(4))
    return (quarter if sides[0] == sides[1] else quarter // 2 * 2), bool(random.integers(2))


def _turned(values: NDArray[np.uint8], quarter: int, *, mirrored: bool) -> NDArray[np.uint8]:
    turned = np.rot90(values, quarter)
    return np.ascontiguousarray(turned[:, ::-1] if mirrored else turned)

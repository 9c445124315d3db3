"""Small boards with random tracks, drawn: golden images, photos of them, and photos with missing or extra copper."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 128
_DARK, _COPPER = 40, 200

Pixels = NDArray[np.uint8]
Defect = tuple[int, int, int, int, str]


def draw_board(seed: int, side: int = SIDE) -> Pixels:
    """A grey board (side, side): tracks across and down, and pads where nothing repeats."""
    random = np.random.default_rng([7, seed])
    board = np.full((side, side), _DARK, np.uint8)
    for _ in range(7):
        at, wide = int(random.integers(6, side - 12)), int(random.integers(5, 9))
        start, end = sorted(int(x) for x in random.integers(0, side, 2))
        if random.random() < 0.5:
            board[at : at + wide, start : end + 20] = _COPPER
        else:
            board[start : end + 20, at : at + wide] = _COPPER
    for _ in range(5):
        centre = tuple(int(x) for x in random.integers(12, side - 12, 2))
        cv2.circle(board, centre, int(random.integers(5, 10)), _COPPER, -1)
    return board


def photograph(board: Pixels, seed: int, shift: tuple[int, int] = (0, 0)) -> Pixels:
    """The board as a camera sees it: (down, right) beside, a little lighter or darker, with noise."""
    random = np.random.default_rng([11, seed])
    down, right = shift
    filled = np.pad(board, ((abs(down),) * 2, (abs(right),) * 2), mode="edge")
    moved = filled[abs(down) - down :, abs(right) - right :][: board.shape[0], : board.shape[1]]
    seen = moved * random.uniform(0.95, 1.05) + random.uniform(-5, 5) + random.normal(0, 2.0, board.shape)
    return np.clip(np.rint(seen), 0, 255).astype(np.uint8)


def spoil(board: Pixels, seed: int) -> tuple[Pixels, Defect]:
    """A board with one defect, its box and its name: 'missing' copper or 'extra' copper of about 10 px."""
    random = np.random.default_rng([13, seed])
    bad = board.copy()
    kind = ("missing", "extra")[seed % 2]
    ys, xs = np.nonzero(board[14:-14, 14:-14] == (_COPPER if kind == "missing" else _DARK))
    pick = int(random.integers(len(ys)))
    y, x = int(ys[pick]) + 14, int(xs[pick]) + 14
    cv2.circle(bad, (x, y), 6, _DARK if kind == "missing" else _COPPER, -1)
    return bad, (x - 8, y - 8, x + 9, y + 9, kind)


def write_one_product(root: Path, good: int, bad: int, seed: int = 0, side: int = SIDE) -> Path:
    """Class folders of one product, its golden image and templates.csv; photos lie up to 3 px beside."""
    random = np.random.default_rng([17, seed])
    board = draw_board(seed, side)
    root.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(root / "golden.png"), board)
    (root / "templates.csv").write_text("file,template\n*,golden.png\n")
    for number in range(good + bad):
        shift = tuple(int(step) for step in random.integers(-3, 4, 2))
        name, pixels = "good", board
        if number >= good:
            pixels, defect = spoil(board, 100 * seed + number)
            name = defect[4]
        (root / name).mkdir(exist_ok=True)
        cv2.imwrite(
            str(root / name / f"{number:03d}.png"), photograph(pixels, 1000 * seed + number, (shift[0], shift[1]))
        )
    return root


def write_pairs(root: Path, boards: int, pairs: int, side: int = SIDE) -> Path:
    """The layout of DeepPCB with grey boards: a spoilt board beside its golden image, a box with a type."""
    folder, boxes = root / "group1" / "1", root / "group1" / "1_not"
    folder.mkdir(parents=True)
    boxes.mkdir()
    for number in range(pairs):
        board = draw_board(number % boards, side)
        bad, (x0, y0, x1, y1, kind) = spoil(board, number)
        cv2.imwrite(str(folder / f"{number:04d}_temp.png"), board)
        cv2.imwrite(str(folder / f"{number:04d}_test.png"), photograph(bad, number))
        (boxes / f"{number:04d}.txt").write_text(f"{x0} {y0} {x1} {y1} {1 if kind == 'missing' else 5}\n")
    return root

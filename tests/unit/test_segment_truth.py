"""The truth of each pixel: nothing marked gets lost on its way to the map, and what contradicts itself is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from outlined_parts import part, write_outlined

from datasets import DatasetError, Sample
from datasets.location import Location
from datasets.sample import Mark
from training.augment import Augmentation
from training.errors import TrainingDataError
from training.images import open_source
from training.masks import UNKNOWN, cell_starts, cells_of, truth_of
from training.material import Material
from training.runfolder import RunFolder
from training.settings import TrainSettings
from training.tasks.segment import TASK

CLASSES = ("good", "bar", "dot")
masks = arrays.arrays(
    np.uint8,
    st.tuples(st.just(1), st.integers(13, 22), st.integers(13, 22)),
    elements=st.sampled_from([0, 0, 1, 2, 255]),
)


@settings(max_examples=25, deadline=None)
@given(masks)
def test_each_marked_pixel_has_its_cell(mask: NDArray[np.uint8]) -> None:
    """A cell is defective where a pixel of it is, unknown where only unknown ones are beside good ones, else good."""
    rows, columns = (-(-size // 4) for size in mask.shape[1:])
    cells = cells_of(mask, rows, columns)[0]
    for row in range(rows):
        for column in range(columns):
            inside = mask[0, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
            marked = inside[(inside > 0) & (inside < UNKNOWN)]
            expected = marked.max() if marked.size else UNKNOWN if (inside == UNKNOWN).any() else 0
            assert cells[row, column] == expected


@pytest.mark.parametrize(("pixels", "cells"), [(224, 56), (130, 33), (224, 30), (20, 20), (8, 20)])
def test_cells_cover_all_pixels_in_order(pixels: int, cells: int) -> None:
    """For maps that no stride makes, too, the starts begin at 0, never fall, and stay inside."""
    starts = cell_starts(pixels, cells)
    assert starts[0] == 0
    assert (np.diff(starts) >= (1 if cells <= pixels else 0)).all()
    assert starts[-1] < pixels


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**20), st.integers(10, 50), st.integers(10, 40))
def test_a_defect_of_one_pixel_moves_with_the_image_and_stays(seed: int, y: int, x: int) -> None:
    """However the image is turned, mirrored and shifted, the mask has the pixel where the image has it."""
    image = np.zeros((60, 50, 1), np.uint8)
    mask = np.zeros((60, 50), np.uint8)
    image[y - 1 : y + 2, x - 1 : x + 2], mask[y, x] = 200, 2
    change = Augmentation(flips=True, moves=True)
    change.seed(seed)
    moved, marked = change.with_mask(image, mask)
    assert set(np.unique(marked)) == {0, 2}
    ys, xs = np.nonzero(marked)
    lit = np.argwhere(moved[:, :, 0] > moved.max() / 2)
    assert abs(ys.mean() - lit[:, 0].mean()) <= 1.5
    assert abs(xs.mean() - lit[:, 1].mean()) <= 1.5
    change.seed(seed)
    again = change.with_mask(image, mask)
    np.testing.assert_array_equal(again[0], moved)
    np.testing.assert_array_equal(again[1], marked)


def test_what_is_known_of_an_image(tmp_path: Path) -> None:
    """Good: nothing is defective; marked: its class there; a defect without marks, or with an empty mask: unknown."""
    pixels, drawn = part("dot", 0)
    for name, picture in (("a.bmp", pixels), ("a.png", drawn), ("empty.png", np.zeros_like(drawn))):
        assert cv2.imwrite(str(tmp_path / name), picture)

    def truth(label: str, mask: str | None, *marks: Mark) -> tuple[set[int], bool, int]:
        file = None if mask is None else tmp_path / mask
        found = truth_of(Sample(tmp_path / "a.bmp", label, "", None, file, marks=marks), CLASSES, 32, 32)
        return set(np.unique(found.mask).tolist()), found.contradicts, len(found.defects)

    square = Mark("bar", ((2.0, 2.0), (9.0, 2.0), (9.0, 9.0), (2.0, 9.0)))
    assert truth("good", None) == truth("good", "empty.png") == ({0}, False, 0)
    assert truth("dot", "a.png") == ({0, 2}, False, 1)
    assert truth("bar", None, square) == ({0, 1}, False, 1)
    assert truth("dot", None) == truth("dot", "empty.png") == ({UNKNOWN}, False, 0)
    assert truth("good", "a.png") == ({0}, True, 0)


def load(root: Path, folder: Path, side: int = 32) -> Material:
    """Load for the task as a run does."""
    source = open_source(Location(root), find_groups=False, seed=0, task="segment")
    run = RunFolder(folder / "bundle")
    run.path.mkdir()
    return TASK.load(source, TrainSettings(task="segment", height=side, width=side, threads=1), run, lambda: None)


def test_material_has_masks_beside_its_pixels(tmp_path: Path) -> None:
    """Each part has a mask for each image, its classes are the image's, and the smallest defect comes first."""
    root = write_outlined(tmp_path / "parts", 6)
    material = load(root, tmp_path)
    for loaded in (material.train, material.validation, material.test):
        assert loaded.masks is not None
        assert loaded.masks.shape == loaded.pixels.shape[:3]
        for truth, mask in zip(loaded.truth.tolist(), loaded.masks, strict=True):
            assert set(np.unique(mask).tolist()) == ({0, truth} if truth else {0})
    areas = [defect.area_px for defect in material.defects]
    assert areas == sorted(areas)
    assert len(areas) == int((material.train.truth != 0).sum())


def test_nothing_marked_at_all_says_what_to_do_instead(tmp_path: Path) -> None:
    """Without a mask or an outline the other tasks are named, before anything is loaded."""
    root = write_outlined(tmp_path / "parts", 4, masks=False)
    with pytest.raises(TrainingDataError, match=r"none of the \d+ defective.*--task classify.*--task anomaly"):
        load(root, tmp_path)
    assert not (tmp_path / "bundle.run" / "pixels.npy").exists()


def test_masks_that_are_all_empty_are_named(tmp_path: Path) -> None:
    """Black masks on every defect are no segmentation; some of them leave their images to teach by class alone."""
    root = write_outlined(tmp_path / "parts", 6)
    files = sorted(root.glob("*/*.png"))
    nothing = np.zeros((64, 64), np.uint8)
    assert cv2.imwrite(str(files[0]), nothing)
    material = load(root, tmp_path)
    known = [part.masks for part in (material.train, material.validation, material.test) if part.masks is not None]
    assert sum(int((mask == UNKNOWN).all(axis=(1, 2)).sum()) for mask in known) == 1
    for file in files:
        assert cv2.imwrite(str(file), nothing)
    shutil.rmtree(tmp_path / "bundle.run")
    with pytest.raises(TrainingDataError, match=r"all defective training images are empty: \d+ images \(bar/bar"):
        load(root, tmp_path)


def test_marks_on_a_good_image_are_refused_by_name(tmp_path: Path) -> None:
    """An image that passes and has a defect marked would teach both."""
    root = write_outlined(tmp_path / "parts", 4)
    assert cv2.imwrite(str(root / "good" / "good1.png"), part("dot", 1)[1])
    with pytest.raises(TrainingDataError, match=r"1 image \(good/good1.bmp\) of the good class 'good'.*empty the mask"):
        load(root, tmp_path)


def test_masks_of_another_size_are_refused_by_name(tmp_path: Path) -> None:
    """The reader counts and names them before a run begins."""
    root = write_outlined(tmp_path / "parts", 4)
    for name in ("dot0", "dot1"):
        assert cv2.imwrite(str(root / "dot" / f"{name}.png"), np.full((32, 64), 255, np.uint8))
    with pytest.raises(DatasetError, match=r"2 × mask of another size(.|\n)*dot/dot0.png: 64×32 pixels, its image has"):
        load(root, tmp_path)


def test_boxes_outside_and_two_formats_at_once_are_refused(tmp_path: Path) -> None:
    """A YOLO box beyond its image is named; class folders beside it are a second format that must be chosen."""
    root = tmp_path / "boxes"
    root.mkdir()
    (root / "classes.txt").write_text("dot\n")
    for seed in range(4):
        assert cv2.imwrite(str(root / f"p{seed}.bmp"), part("dot", seed)[0])
        (root / f"p{seed}.txt").write_text("0 0.9 0.5 0.6 0.2\n" if seed == 2 else "0 0.5 0.5 0.2 0.2\n")
    with pytest.raises(DatasetError, match=r"1 × mark outside its image(.|\n)*p2.bmp"):
        load(root, tmp_path)
    write_outlined(root / "more", 1)
    for kind in CLASSES:
        shutil.move(str(root / "more" / kind), root / kind)
    with pytest.raises(DatasetError, match=r"2 formats at once.*yolo.*class-folders"):
        load(root, tmp_path)


def test_a_class_with_one_image_is_trained(tmp_path: Path) -> None:
    """It goes to the training images, with its mask."""
    root = write_outlined(tmp_path / "parts", 5)
    (root / "hole").mkdir()
    for suffix in ("bmp", "png"):
        shutil.copyfile(root / "dot" / f"dot0.{suffix}", root / "hole" / f"hole0.{suffix}")
    material = load(root, tmp_path)
    index = material.classes.index("hole")
    counts = [int((loaded.truth == index).sum()) for loaded in (material.train, material.validation, material.test)]
    assert counts == [1, 0, 0]
    assert material.train.masks is not None
    assert (material.train.masks == index).any()

"""The readers on the development photographs: every image, mark and place of them, counted against their own files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from datasets import DatasetError, load_sample, read_dataset, split_dataset
from datasets.marks import class_map, read_mask, smallest_defect

pytestmark = pytest.mark.realdata

PLACES = """
zero = "missing"
pass_over = ["test_set/*"]
place = [
  { name = "upper left", x = 0, y = 0, width = 300, height = 350 },
  { name = "upper right", x = 300, y = 0, width = 300, height = 350 },
  { name = "lower left", x = 0, y = 350, width = 300, height = 439 },
  { name = "lower right", x = 300, y = 350, width = 300, height = 439 },
]
"""


def test_deeppcb_has_its_boards_templates_and_boxes(shared_data: Path) -> None:
    """All 1,500 boards with their templates, split as published, and every box of every file."""
    data = read_dataset(shared_data / "deeppcb")
    assert data.layout == "deeppcb"
    boards = [sample for sample in data.samples if sample.template is not None]
    assert (len(boards), data.counts()["good"]) == (1500, 1500)
    assert Counter(sample.split for sample in boards) == {"train": 1000, "test": 500}
    lines = [
        line.split()
        for file in (shared_data / "deeppcb").rglob("*_not/*.txt")
        for line in file.read_text().splitlines()
    ]
    kinds = ("open", "short", "mousebite", "spur", "copper", "pin-hole")
    expected = Counter(kinds[int(words[4]) - 1] for words in lines)
    assert Counter(mark.label for sample in boards for mark in sample.marks) == expected
    split = split_dataset(data)
    assert not {s.group for s in split.train} & {s.group for s in (*split.test, *split.validation)}
    board = boards[0]
    found = class_map(board, data.classes, 640, 640)
    assert {data.classes[k] for k in np.unique(found)} == {"good", *board.types}
    smallest = smallest_defect(boards[:200], 224, 224)
    assert smallest is not None
    assert 4 < smallest.area_px < 100


def test_screws_have_four_places_each(shared_data: Path, tmp_path: Path) -> None:
    """The digits of the 100 file names label their four places; the 46 without are passed over by name."""
    places = tmp_path / "screws.toml"
    places.write_text(PLACES)
    data = read_dataset(shared_data / "screws_missing", annotations=places)
    digits = [path.stem.split("_")[1] for path in (shared_data / "screws_missing/train_val_set").iterdir()]
    assert len(data.samples) == 400
    assert data.counts() == {"good": "".join(digits).count("1"), "missing": "".join(digits).count("0")}
    assert load_sample(data.samples[3]).shape == (439, 300, 3)
    split = split_dataset(data)
    assert not {s.path for s in split.train} & {s.path for s in split.test}
    places.write_text(PLACES.replace('pass_over = ["test_set/*"]', ""))
    with pytest.raises(DatasetError, match="46 × image without an annotation"):
        read_dataset(shared_data / "screws_missing", annotations=places)


def test_cookies_by_a_plain_list_with_their_masks(shared_data: Path, tmp_path: Path) -> None:
    """A list of file, label, split and mask reads biscuits whose labels stand in their names."""
    cookies = shared_data / "cookies"
    lines = ["file,label,split,mask"]
    for folder, split in (("training-images", "train"), ("test-images", "test")):
        for path in sorted((cookies / folder).iterdir()):
            mask = f"mask-images/{path.stem}.png"
            label = "normal" if "normal" in path.stem else "anomaly"
            lines.append(f"{folder}/{path.name},{label},{split},{mask if (cookies / mask).is_file() else ''}")
    (tmp_path / "cookies.csv").write_text("\n".join(lines))
    data = read_dataset(cookies, annotations=tmp_path / "cookies.csv")
    assert data.counts() == {"normal": 45, "anomaly": 40}
    masked = [sample for sample in data.samples if sample.mask is not None]
    assert len(masked) == 32
    shares = [float(read_mask(sample).mean()) for sample in masked]
    assert 0 < min(shares) < max(shares) < 0.2
    small = [float((class_map(sample, data.classes, 96, 72) > 0).mean()) for sample in masked]
    np.testing.assert_allclose(small, shares, atol=0.01)


def test_magnetic_tile_masks_mark_the_defects_alone(shared_data: Path) -> None:
    """Masks of good tiles are empty, those of defective ones are not, but for four that nobody drew."""
    data = read_dataset(shared_data / "magnetic_tile")
    marked = {sample.path.name: bool(read_mask(sample).any()) for sample in data.samples if sample.label != data.good}
    assert list(marked.values()).count(False) == 4
    good = [sample for sample in data.samples if sample.label == data.good]
    assert not any(read_mask(sample).any() for sample in good[::20])

"""docs/datasets.md is true: it lists the formats that there are, and its examples are read as it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from annotation_files import photograph

from datasets import read_dataset
from datasets.readers.shapes import bounds
from datasets.readers.table import FORMATS

PAGE = (Path(__file__).resolve().parents[2] / "docs/datasets.md").read_text()


def example(form: str) -> str:
    """Return the first block after the paragraph that begins with the format's name."""
    found = re.search(rf"^\*\*{form}\*\*.*?^```\w*\n(.*?)^```", PAGE, flags=re.S | re.M)
    assert found is not None
    return found[1]


def test_the_page_lists_the_table() -> None:
    """One line for each row, in its order, and an example."""
    assert re.findall(r"^\| `([\w-]+)` \|", PAGE, flags=re.M) == [row.name for row in FORMATS]
    assert all(f"**{row.name}**" in PAGE for row in FORMATS)


@pytest.mark.parametrize(
    ("form", "file"),
    [("coco", "all.json"), ("voc", "cap.xml"), ("labelme", "cap.json"), ("cvat", "all.xml"), ("yolo", "cap.txt")],
)
def test_the_outlined_examples(tmp_path: Path, form: str, file: str) -> None:
    """Each marks a crack from (10, 20) to (40, 35), to the pixel, in a picture of 640×480 pixels."""
    photograph(tmp_path / "cap.png", 640, 480)
    (tmp_path / file).write_text(example(form))
    if form == "yolo":
        (tmp_path / "classes.txt").write_text("crack\nstain\n")
    (sample,) = read_dataset(tmp_path).samples
    assert (read_dataset(tmp_path).layout, sample.types[0]) == (form, "crack" if form != "yolo" else sample.types[0])
    assert bounds(sample.marks[0].outline) == pytest.approx((10, 20, 40, 35), abs=0.05)


def test_the_list_and_the_places(tmp_path: Path) -> None:
    """labels.csv gives two images, one with two types; places.toml names its place."""
    for name in (
        "list/images/cap_001.png",
        "list/images/cap_002.png",
        "list/masks/cap_002.png",
        "places/1_0.png",
        "places/2_1.png",
    ):
        photograph(tmp_path / name, 640, 480, len(name))
    (tmp_path / "list/labels.csv").write_text(example("labels-csv"))
    assert [sample.types for sample in read_dataset(tmp_path / "list").samples] == [("good",), ("crack", "stain")]
    toml = re.search(r"^```toml\n(.*?)^```", PAGE, flags=re.S | re.M)
    assert toml is not None
    (tmp_path / "places/places.toml").write_text(toml[1])
    sample, _ = read_dataset(tmp_path / "places").samples
    assert (sample.label, sample.place.name if sample.place else "") == ("missing", "upper left")

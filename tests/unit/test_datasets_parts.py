"""From places back to parts, and everything that used to tell images apart by their path alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from datasets.check import check_dataset
from datasets.contact import make_sheet
from datasets.errors import DatasetError
from datasets.parts import gather_parts, has_places
from datasets.reader import read_dataset
from datasets.sample import Dataset, Place
from datasets.splitfile import read_split, write_split
from datasets.splits import split_dataset
from datasets.suspects import Suspect, Suspicion

LABELS = [("", ""), ("", "scratch"), ("dent", "scratch"), ("dent", ""), ("", ""), ("", "")]


@pytest.fixture
def slots(tmp_path: Path) -> Dataset:
    """Six images with a left and a right place."""
    (tmp_path / "places.csv").write_text("name,x,y,width,height\nleft,0,0,20,30\nright,20,0,20,30\n")
    lines = ["file,place,label"]
    for number, labels in enumerate(LABELS):
        noise = np.random.default_rng(number).integers(0, 255, (30, 40), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / f"{number}.png"), noise)
        lines += [f"{number}.png,{place},{label}" for place, label in zip(("left", "right"), labels, strict=True)]
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    return read_dataset(tmp_path)


def test_a_part_has_the_defect_that_most_of_its_places_show(slots: Dataset) -> None:
    """Good where all places are; of equals the first by name; all types are kept, and each place's own label."""
    parts = gather_parts(slots.samples, slots.good)
    assert [sample.label for sample in parts.samples] == ["good", "scratch", "dent", "dent", "good", "good"]
    assert parts.samples[2].types == ("dent", "scratch")
    assert parts.labels[1] == ("good", "scratch")
    assert [place.name for place in parts.places] == ["left", "right"]
    assert not has_places(parts.samples)


def test_images_of_other_places_are_refused_by_name(slots: Dataset) -> None:
    """Another name, a missing place, or a place elsewhere: one message with the images and what differs."""
    *others, last = slots.samples
    assert last.place is not None
    for place, told in (
        (
            Place("middle", 20, 0, 20, 30),
            r"1 image\(s\) have other places than .*0\.png, which has left, right.*middle",
        ),
        (Place("right", 10, 0, 20, 30), "'right' lies elsewhere in its 40×30 pixels"),
    ):
        with pytest.raises(DatasetError, match=rf"(?s){told}"):
            gather_parts([*others, replace(last, place=place)], "good")
    with pytest.raises(DatasetError, match=r"(?s)5\.png: has the places left"):
        gather_parts(others, "good")
    with pytest.raises(DatasetError, match=r"5\.png: has no places while other images have some"):
        gather_parts([*others, replace(last, place=None)], "good")


def test_a_split_of_places_is_written_and_read_again(slots: Dataset, tmp_path: Path) -> None:
    """The file has one line an image, although its places have different labels, and gives the same split."""
    split = split_dataset(slots, fractions=(0.5, 0.25, 0.25))
    file = tmp_path / "split.csv"
    write_split(file, slots, split)
    assert len(file.read_text().splitlines()) == 1 + len(LABELS)
    assert read_split(file, slots) == split
    file.write_text("file,split\n0.png,train\n")
    with pytest.raises(DatasetError, match=r"5 problem\(s\)"):
        read_split(file, slots)


def test_a_doubted_place_is_shown_with_its_own_name(slots: Dataset) -> None:
    """The contact sheet shows the place that is doubted, not the first one of that image."""
    titles = [slots.title_of(sample) for sample in slots.samples]
    assert len(set(titles)) == len(titles)
    doubt = Suspicion((Suspect("2.png · right", "scratch", "good", 0.1, 0.9),), 12, 3, 0.9, {}, "a network")
    report = replace(check_dataset(slots), suspects=doubt)
    first = make_sheet(slots, report, side=40).sections[0]
    assert first.rows[0][0].lines[0] == "2.png · right"
    blue = (first.rows[0][0].picture.pixels == (40, 140, 255)).all(axis=2)
    assert blue[:, 21:].sum() > 3 * blue[:, :19].sum()

"""Folders of labelled images: layouts, the good class, masks, groups and the one error that lists all problems."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from datasets import DatasetError, read_dataset
from datasets.sample import Mark, Place


def fill(root: Path, *names: str) -> Path:
    """Write a small image, each of other content, under every name."""
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 255, (16, 16, 3), dtype=np.uint8)
        assert cv2.imwrite(str(path), pixels)
    return root


def test_class_folders(tmp_path: Path) -> None:
    """Folders are classes, the good one first; every image without a groups file is a group of its own."""
    data = read_dataset(fill(tmp_path, "scratch/b.png", "good/a.png", "good/deep/c.png", "chip/d.jpg"))
    assert (data.layout, data.good, data.classes) == ("class-folders", "good", ("good", "chip", "scratch"))
    assert data.counts() == {"good": 2, "chip": 1, "scratch": 1}
    assert {sample.group for sample in data.samples} == {"scratch/b.png", "good/a.png", "good/deep/c.png", "chip/d.jpg"}
    assert {sample.split for sample in data.samples} == {None}


@pytest.mark.parametrize("pattern", ["{split}/{label}/a.png", "{label}/{split}/a.png"])
def test_class_folders_with_splits(tmp_path: Path, pattern: str) -> None:
    """Folders named train, val and test, above or below the classes, are splits."""
    names = [pattern.format(split=split, label=label) for split in ("train", "val", "test") for label in ("ok", "bad")]
    data = read_dataset(fill(tmp_path, *names))
    assert data.layout == "split-folders"
    assert sorted((s.label, s.split) for s in data.samples) == sorted(
        (label, split) for label in ("ok", "bad") for split in ("train", "validation", "test")
    )


def test_mvtec_layout(tmp_path: Path) -> None:
    """train/good, test/DEFECT and ground_truth/DEFECT give labels, splits and masks."""
    names = ("train/good/000.png", "test/good/000.png", "test/crack/000.png", "ground_truth/crack/000_mask.png")
    data = read_dataset(fill(tmp_path, *names))
    assert (data.layout, data.classes) == ("mvtec-ad", ("good", "crack"))
    found = {(s.label, s.split, s.mask.name if s.mask else None) for s in data.samples}
    assert found == {("good", "train", None), ("good", "test", None), ("crack", "test", "000_mask.png")}


def test_png_beside_a_jpeg_is_its_mask(tmp_path: Path) -> None:
    """A PNG with the stem of a JPEG is no image; a PNG alone is one."""
    data = read_dataset(fill(tmp_path, "good/a.jpg", "good/a.png", "bad/b.png"))
    assert [(s.path.name, s.mask.name if s.mask else None) for s in data.samples] == [
        ("b.png", None),
        ("a.jpg", "a.png"),
    ]


@pytest.mark.parametrize("name", ["Good", "OK", "normal", "MT_Free", "pass", "part-ok"])
def test_the_good_class_is_found_by_its_name(tmp_path: Path, name: str) -> None:
    """Case does not matter, and a prefix is allowed."""
    assert read_dataset(fill(tmp_path, f"{name}/a.png", "not_ok/b.png", "abnormal/c.png")).good == name


def test_no_good_class_lists_the_folders(tmp_path: Path) -> None:
    """Where no folder sounds good, the error lists them and says what to give; given, it is taken."""
    fill(tmp_path, "red/a.png", "blue/b.png")
    with pytest.raises(DatasetError, match=r"blue, red.*--good NAME"):
        read_dataset(tmp_path)
    assert read_dataset(tmp_path, good="red").classes == ("red", "blue")
    assert read_dataset(tmp_path, require_good=False).good == ""


def test_several_good_classes_and_a_wrong_name(tmp_path: Path) -> None:
    """Two folders that sound good, or a --good that is none, are errors that list the folders."""
    fill(tmp_path, "ok/a.png", "good/b.png", "bad/c.png")
    with pytest.raises(DatasetError, match=r"2 classes.*bad, good, ok.*--good NAME"):
        read_dataset(tmp_path)
    with pytest.raises(DatasetError, match=r"'fine'.*bad, good, ok"):
        read_dataset(tmp_path, good="fine")


def test_all_bad_files_in_one_error(tmp_path: Path) -> None:
    """Every file that cannot be used is named in one error, with exit code 2."""
    fill(tmp_path, "good/fine.png", "good/cut.jpg", "stray.png")
    cut = tmp_path / "good/cut.jpg"
    cut.write_bytes(cut.read_bytes()[:-40])
    (tmp_path / "good/empty.png").touch()
    (tmp_path / "good/text.png").write_text("no picture")
    (tmp_path / "good/other.webp").write_bytes(b"RIFF")
    fill(tmp_path, "good/really.png").joinpath("good/really.png").rename(tmp_path / "good/wrong.jpg")
    with pytest.raises(DatasetError) as caught:
        read_dataset(tmp_path)
    for name in ("cut.jpg", "empty.png", "text.png", "other.webp", "wrong.jpg", "stray.png"):
        assert name in str(caught.value)
    assert "fine.png" not in str(caught.value)
    assert "6 image file(s)" in str(caught.value)
    assert caught.value.exit_code == 2


def test_empty_and_missing_folders(tmp_path: Path) -> None:
    """A folder without images and no folder at all are said plainly."""
    with pytest.raises(DatasetError, match="no images"):
        read_dataset(tmp_path)
    with pytest.raises(DatasetError, match="no such folder"):
        read_dataset(tmp_path / "nowhere")


def test_a_name_that_is_no_text_is_refused_by_name(tmp_path: Path) -> None:
    """A file name in another encoding than UTF-8 is one of those that cannot be used, and the message can be shown."""
    fill(tmp_path, "good/1.png", "bad/2.png")
    (tmp_path / "bad/2.png").rename(os.fsdecode(os.fsencode(tmp_path / "bad") + b"/\xfcber.png"))
    with pytest.raises(DatasetError, match=r"1 image file\(s\)[^:]*:\s.*bad/.*ber\.png: the name is no UTF-8") as info:
        read_dataset(tmp_path)
    str(info.value).encode()


def test_groups_file_by_path_by_name_and_by_class(tmp_path: Path) -> None:
    """A groups file names images by path, by name, or by name and class; what else it says is passed over."""
    fill(tmp_path, "good/a.png", "good/b.png", "bad/a.png")
    (tmp_path / "groups.csv").write_text(
        "file,class,lot,group\na.png,good,1,x\na.png,bad,1,y\nb.png,,2,x\nold.png,,3,z\n"
    )
    assert {s.group for s in read_dataset(tmp_path).samples if s.label == "good"} == {"x"}
    other = tmp_path / "other.csv"
    other.write_text("file,group\ngood/a.png,1\ngood/b.png,2\nbad/a.png,3\n")
    assert [s.group for s in read_dataset(tmp_path, groups=other).samples] == ["3", "1", "2"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,piece\na,1\n", "'file' and 'group' are needed"),
        ("file,group\ngood/a.png,1\n", "no line for bad/b.png"),
        ("file,group\ngood/a.png,1\nbad/b.png,\n", "line 3"),
        ("file,group\ngood/a.png,1\nbad/b.png,2\na.png,2\n", "'a.png' is in group '1' and in group '2'"),
    ],
)
def test_bad_groups_files(tmp_path: Path, text: str, message: str) -> None:
    """A groups file that leaves an image out or contradicts itself is refused with the line."""
    fill(tmp_path, "good/a.png", "bad/b.png")
    (tmp_path / "groups.csv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_dataset(tmp_path)


def test_digest_follows_content_and_labels_and_not_the_place(tmp_path: Path) -> None:
    """The digest is the same for the same files elsewhere, and another when a byte, a label or a group changes."""
    names = ("good/a.png", "bad/b.png")
    first, second = (read_dataset(fill(tmp_path / place, *names)).digest() for place in ("one", "two"))
    assert first == second
    (tmp_path / "two/groups.csv").write_text("file,group\na.png,1\nb.png,2\n")
    grouped = read_dataset(tmp_path / "two").digest()
    (tmp_path / "one/bad").rename(tmp_path / "one/worse")
    assert len({first, grouped, read_dataset(tmp_path / "one").digest()}) == 3


def test_digest_follows_all_that_a_sample_may_have(tmp_path: Path) -> None:
    """Further labels, an outline, a template's content, a place and a time: each makes another data set."""
    dataset = read_dataset(fill(tmp_path, "good/a.png", "bad/b.png", "bad/plain.png"))
    good, bad, template = sorted(dataset.samples, key=lambda sample: sample.path.name)
    changes: list[dict[str, Any]] = [
        {},
        {"labels": ("bad", "worse")},
        {"marks": (Mark("bad", ((0.0, 0.0), (3.0, 4.0))),)},
        {"marks": (Mark("bad", ((0.0, 0.0), (3.0, 5.0))),)},
        {"template": template.path},
        {"template": good.path},
        {"place": Place("left", 0, 0, 4, 4)},
        {"taken": "2026-11-21T10:00:00+09:00"},
    ]
    digests = {replace(dataset, samples=(good, replace(bad, **change))).digest() for change in changes}
    assert len(digests) == len(changes)

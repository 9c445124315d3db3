"""Splits that go through a file: by group, by lot, by time."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from datasets.cli import app
from datasets.errors import DatasetError
from datasets.partition import joined, parse_times, split_by_lot, split_by_time
from datasets.reader import read_dataset
from datasets.sample import Dataset, Sample
from datasets.splitfile import read_split, split_digest, write_split
from datasets.splits import NAMES, Split, split_dataset

ROOT = Path("/photos")
SHARES = (0.6, 0.2, 0.2)


def made(rows: list[tuple[str, str, str]]) -> Dataset:
    """A data set of (file, label, group) without files."""
    samples = tuple(Sample(ROOT / file, label, group, None, None) for file, label, group in sorted(rows))
    return Dataset(ROOT, "class-folders", "good", samples, ("good", "bad"))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Thirty small images of noise in two classes, with lots and days."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(30):
        label = "good" if number % 3 else "bad"
        (tmp_path / "photos" / label).mkdir(parents=True, exist_ok=True)
        name = f"{label}/{number:02d}.png"
        cv2.imwrite(str(tmp_path / "photos" / name), rng.integers(0, 256, (24, 24), np.uint8))
        rows.append((name, f"lot-{number // 5}", f"2026-03-{number + 1:02d}"))
    with (tmp_path / "table.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("file", "lot", "taken"), *rows])
    return tmp_path / "photos"


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def parts_in(file: Path) -> dict[str, str]:
    with file.open(newline="", encoding="utf-8") as stream:
        return {row["file"]: row["split"] for row in csv.DictReader(stream)}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["good", "bad"]), st.integers(0, 6), st.integers(0, 9), st.integers(0, 5)),
        min_size=3,
        max_size=40,
    )
)
def test_no_lot_and_no_group_is_ever_parted(facts: list[tuple[str, int, int, int]]) -> None:
    """Whatever hangs together by lot or by piece has one name, and a split by lot keeps each name in one part."""
    dataset = made([(f"{label}/{n:02d}.png", label, f"g{group}") for n, (label, _, group, _) in enumerate(facts)])
    lots = {ROOT / f"{label}/{n:02d}.png": f"l{lot}" for n, (label, lot, _, _) in enumerate(facts)}
    together = joined(dataset, lots)
    try:
        part = split_by_lot(dataset, lots, fractions=SHARES).part_of()
    except DatasetError:
        assert len(set(together.values())) < 3 * len({sample.label for sample in dataset.samples})
        return
    for one in dataset.samples:
        for other in dataset.samples:
            if one.group == other.group or lots[one.path] == lots[other.path]:
                assert together[one.path] == together[other.path]
                assert part[one.path] == part[other.path]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(1, 28)), min_size=3, max_size=40))
def test_what_is_held_out_is_the_newest(facts: list[tuple[int, int]]) -> None:
    """By time, groups in train end before those in validation end, and these before those in test; none is parted."""
    dataset = made([(f"good/{n:02d}.png", "good", f"g{group}") for n, (group, _) in enumerate(facts)])
    told = {ROOT / f"good/{n:02d}.png": f"2026-01-{day:02d}" for n, (_, day) in enumerate(facts)}
    taken = parse_times(told, ROOT)
    try:
        split = split_by_time(dataset, taken, fractions=SHARES)
    except DatasetError:
        return
    newest = {s.group: max(taken[o.path] for o in dataset.samples if o.group == s.group) for s in dataset.samples}
    ends = [[newest[sample.group] for sample in part] for part in (split.train, split.validation, split.test)]
    assert max(ends[0]) < min(ends[1]) <= max(ends[1]) < min(ends[2])
    groups = [{sample.group for sample in part} for part in (split.train, split.validation, split.test)]
    assert sum(map(len, groups)) == len(groups[0] | groups[1] | groups[2])
    assert len(split.test) >= 0.2 * len(facts)


@pytest.mark.parametrize("by", ["group", "lot", "time"])
def test_what_the_command_writes_is_read_again(photos: Path, tmp_path: Path, by: str) -> None:
    """The file has the columns file,split, a line for each image, and reads as the split that was told."""
    out = tmp_path / "split.csv"
    told = json.loads(run("split", photos, "--out", out, "--by", by, "--table", tmp_path / "table.csv", "--json"))
    assert out.read_text(encoding="utf-8").splitlines()[0] == "file,split"
    dataset = read_dataset(photos)
    split = read_split(out, dataset)
    sizes = {name: sum(told["counts"][name].values()) for name in NAMES}
    assert sizes == {"train": len(split.train), "validation": len(split.validation), "test": len(split.test)}
    assert sum(sizes.values()) == 30
    assert min(sizes.values()) > 0
    written = parts_in(out)
    if by == "lot":
        lots = {row["file"]: row["lot"] for row in csv.DictReader((tmp_path / "table.csv").open(encoding="utf-8"))}
        assert len({(lots[file], part) for file, part in written.items()}) == 6
    if by == "time":
        newest = sorted(written, key=lambda file: file.rpartition("/")[2])[-6:]
        assert {file for file, part in written.items() if part == "test"} == set(newest)
    assert not list(tmp_path.glob("*.part"))
    with pytest.raises(DatasetError, match="never overwritten"):
        run("split", photos, "--out", out)


def test_copies_go_together_unless_it_is_asked_otherwise(photos: Path, tmp_path: Path) -> None:
    """Copies that nobody stated are found and kept in one part."""
    for number in range(0, 30, 2):
        label = "good" if number % 3 else "bad"
        image = photos / label / f"{number:02d}.png"
        (photos / label / f"again-{number:02d}.png").write_bytes(image.read_bytes())
    run("split", photos, "--out", tmp_path / "kept.csv")
    run("split", photos, "--out", tmp_path / "parted.csv", "--no-find-groups")
    parted = []
    for name in ("kept.csv", "parted.csv"):
        part = parts_in(tmp_path / name)
        again = [file for file in part if "again-" in file]
        parted.append(sum(part[file] != part[file.replace("again-", "")] for file in again))
    assert parted[0] == 0
    assert parted[1] > 0


def test_a_split_file_survives_and_names_itself(tmp_path: Path) -> None:
    """Written and read it is the same split with the same digest; another split has another one."""
    dataset = made([(f"{label}/{n:02d}.png", label, f"g{n}") for n in range(20) for label in ("good", "bad")])
    split = split_dataset(dataset, seed=1)
    write_split(tmp_path / "split.csv", dataset, split)
    again = read_split(tmp_path / "split.csv", dataset)
    assert again == split
    assert split_digest(dataset, again) == split_digest(dataset, split)
    assert split_digest(dataset, split_dataset(dataset, seed=2)) != split_digest(dataset, split)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,split\ngood/a.png,train\n", "no line for good/b.png"),
        ("file,split\ngood/a.png,train\ngood/b.png,holdout\n", "train, validation, test are allowed"),
        ("file,part\ngood/a.png,train\n", "'file' and 'split' are needed"),
        ("file,split\ngood/a.png,train\ngood/b.png,test\n", "1 group.s. of images of one piece lie in several parts"),
        ("file,split\ngood/a.png,train\ngood/a.png,test\ngood/b.png,test\n", "in split 'train' and in split 'test'"),
    ],
)
def test_a_split_file_that_says_too_little_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """Each problem is told with the names it is about."""
    dataset = made([("good/a.png", "good", "one"), ("good/b.png", "good", "one")])
    (tmp_path / "split.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match=message):
        read_split(tmp_path / "split.csv", dataset)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--fractions", "0.5,0.5"), "such as 0.6,0.2,0.2"),
        (("--fractions", "0.5,0.4,0.2"), "add up to 1"),
        (("--by", "lot"), "--table FILE"),
        (("--by", "time", "--table", "table.csv", "--column", "lot"), "ISO 8601 is needed"),
        (("--by", "lot", "--table", "table.csv", "--column", "batch"), "'file' and 'batch' are needed"),
    ],
)
def test_what_cannot_be_split_is_told(
    photos: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    """One message with what is needed, and no file is left."""
    monkeypatch.chdir(photos.parent)
    with pytest.raises(DatasetError, match=message):
        run("split", photos, "--out", "split.csv", *arguments)
    assert not Path("split.csv").exists()


def test_times_with_and_without_zone_are_not_mixed() -> None:
    """They cannot be put in order."""
    with pytest.raises(DatasetError, match="1 times have a zone and 1 have none"):
        parse_times({ROOT / "a": "2026-01-01", ROOT / "b": "2026-01-01T00:00:00+00:00"}, ROOT)


def test_one_lot_cannot_be_divided() -> None:
    """Too few lots are told of instead of giving an empty part."""
    dataset = made([(f"good/{n}.png", "good", f"good/{n}.png") for n in range(9)])
    with pytest.raises(DatasetError, match=r"1 lot.*cannot be divided"):
        split_by_lot(dataset, {sample.path: "only" for sample in dataset.samples}, fractions=SHARES)
    assert isinstance(split_dataset(dataset), Split)

"""Splits: deterministic, every class in each part, no group in two, a layout's own split kept."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets import Dataset, DatasetError, Sample, Split, split_dataset

ROOT = Path("/data")


def dataset(rows: list[tuple[str, str, str | None]]) -> Dataset:
    """Make a data set of (label, group, split); no files are needed to split it."""
    samples = tuple(
        Sample(ROOT / label / f"{number:04d}.png", label, group, split, None)
        for number, (label, group, split) in enumerate(rows)
    )
    labels = sorted({label for label, _, _ in rows} - {"good"})
    return Dataset(ROOT, "class-folders", "good", samples, ("good", *labels))


def parts(split: Split) -> dict[str, tuple[Sample, ...]]:
    return {"train": split.train, "validation": split.validation, "test": split.test}


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["good", "scratch", "chip"]),
            st.integers(0, 12).map(str),
            st.sampled_from([None, "train", "validation", "test"]),
        ),
        min_size=1,
        max_size=60,
    ),
    seed=st.integers(0, 5),
)
def test_no_image_is_lost_and_no_group_is_parted(rows: list[tuple[str, str, str | None]], seed: int) -> None:
    """Whatever the layout says, each image is in exactly one part and each group in one part, twice the same."""
    data = dataset(rows)
    split = split_dataset(data, seed=seed)
    everything = [sample for samples in parts(split).values() for sample in samples]
    assert sorted(s.path for s in everything) == sorted(s.path for s in data.samples)
    where: defaultdict[str, set[str]] = defaultdict(set)
    for name, samples in parts(split).items():
        for sample in samples:
            where[sample.group].add(name)
    assert all(len(names) == 1 for names in where.values())
    assert split == split_dataset(data, seed=seed)


@settings(max_examples=40, deadline=None)
@given(sizes=st.lists(st.integers(1, 6), min_size=3, max_size=60), seed=st.integers(0, 100))
def test_every_class_with_three_groups_is_in_every_part(sizes: list[int], seed: int) -> None:
    """Three groups suffice for a class to be in train, validation and test; the shares are met to one group."""
    rows = [("scratch", f"g{group}", None) for group, size in enumerate(sizes) for _ in range(size)]
    split = split_dataset(dataset(rows), seed=seed)
    for share, samples in zip((0.6, 0.2, 0.2), (split.train, split.validation, split.test), strict=True):
        assert samples
        assert abs(len(samples) - share * len(rows)) <= 2 * max(sizes)


def test_shares_are_exact_without_groups() -> None:
    """100 images of each class are divided 60, 20, 20."""
    split = split_dataset(dataset([(label, f"{label}{k}", None) for label in ("good", "chip") for k in range(100)]))
    for samples, number in ((split.train, 60), (split.validation, 20), (split.test, 20)):
        assert Counter(sample.label for sample in samples) == {"good": number, "chip": number}


def test_another_seed_gives_another_split() -> None:
    """The seed decides which images are tested."""
    data = dataset([("good", f"{k}", None) for k in range(50)])
    assert split_dataset(data, seed=1).test != split_dataset(data, seed=2).test


def test_groups_that_were_found_replace_the_stated_ones() -> None:
    """Groups given as a mapping are kept together although the samples say otherwise."""
    data = dataset([("good", f"{k}", None) for k in range(30)])
    groups = {sample.path: f"pair-{k // 2}" for k, sample in enumerate(data.samples)}
    part_of = split_dataset(data, groups=groups).part_of()
    for first, second in zip(data.samples[::2], data.samples[1::2], strict=True):
        assert part_of[first.path] == part_of[second.path]


def test_a_split_of_the_layout_is_kept() -> None:
    """Stated test images are tested; where no validation is stated it comes out of train."""
    stated = [(label, f"{label}{k}", "train" if k < 40 else "test") for label in ("good", "chip") for k in range(60)]
    split = split_dataset(dataset(stated))
    assert {s.path for s in split.test} == {s.path for s in dataset(stated).samples if s.split == "test"}
    assert (len(split.train), len(split.validation)) == (60, 20)


def test_stated_validation_is_kept() -> None:
    """With all three stated, nothing moves."""
    rows = [
        (label, f"{label}{k}", ("train", "validation", "test")[k % 3]) for label in ("good", "chip") for k in range(9)
    ]
    for name, samples in parts(split_dataset(dataset(rows))).items():
        assert len(samples) == 6
        assert {sample.split for sample in samples} == {name}


def test_mvtec_defects_are_learnt_and_tested() -> None:
    """Good test images stay test; a defect that only the test has is divided, so that it can be learnt at all."""
    rows = [("good", f"a{k}", "train") for k in range(40)] + [("good", f"b{k}", "test") for k in range(10)]
    split = split_dataset(dataset(rows + [("crack", f"c{k}", "test") for k in range(20)]))
    assert Counter(s.label for s in split.test) == {"good": 10, "crack": 4}
    assert Counter(s.label for s in split.train) == {"good": 30, "crack": 12}
    assert Counter(s.label for s in split.validation) == {"good": 10, "crack": 4}
    assert all(s.split == "test" for s in split.test)


def test_a_group_that_the_layout_parts_goes_to_the_test() -> None:
    """Images of a tested piece are never trained on, even where the layout says so."""
    rows = [("good", f"g{k}", "train") for k in range(10)] + [("good", "g3", "test"), ("good", "t", "test")]
    split = split_dataset(dataset(rows))
    assert Counter(sample.group for sample in split.test) == {"g3": 2, "t": 1}


@pytest.mark.parametrize("fractions", [(0.5, 0.2, 0.2), (0.0, 0.5, 0.5), (1.2, -0.1, -0.1)])
def test_fractions_must_add_up(fractions: tuple[float, float, float]) -> None:
    """Shares that do not add up to one, or leave nothing to train on, are refused."""
    with pytest.raises(DatasetError, match="add up to 1"):
        split_dataset(dataset([("good", "a", None)]), fractions=fractions)

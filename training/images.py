"""The images of a run, labelled, grouped, split, and brought to the input size once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.duplicates import find_duplicates
from datasets.location import Location
from datasets.reader import load_sample
from datasets.sample import Dataset, Sample
from datasets.splitfile import read_split, split_digest
from datasets.splits import Split, split_dataset
from models.resize import fit
from training.ahead import each_of
from training.arrange import arrange, choose_task, classes_of, refuse_untrainable
from training.errors import TrainingDataError
from training.ledger import Ledger
from training.template.scan import rescan

_PROBED = 64

Stamp = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Source:
    """A checked data set with its split: a plain value. `digest` is that of the data set.

    stamps: size and time of each file, taken before the digest.
    task, why: what is learned from it, and the reason. split_sha256: names a split that a file stated; None for one
    made from the seed.
    """

    dataset: Dataset
    split: Split
    digest: str
    channels: int
    task: str
    why: str
    split_sha256: str | None = None
    stamps: Mapping[Path, Stamp] = field(default_factory=dict)

    @property
    def classes(self) -> tuple[str, ...]:
        """Give the classes of the scores, the good one first."""
        return classes_of(self.task, self.dataset)

    def counts(self) -> dict[str, dict[str, int]]:
        """Count the images: split -> class -> images."""
        parts = {"train": self.split.train, "validation": self.split.validation, "test": self.split.test}
        return {name: dict(sorted(Counter(sample.label for sample in part).items())) for name, part in parts.items()}

    def unproved(self) -> dict[str, tuple[str, ...]]:
        """Name the classes of which no image is left to validate or test with: class -> these parts."""
        counts = self.counts()
        lacking = {
            label: tuple(part for part in ("validation", "test") if not counts[part].get(label))
            for label in self.dataset.classes
        }
        return {label: parts for label, parts in lacking.items() if parts}

    def refuse_changed(self) -> None:
        """Raise TrainingDataError where a file was written to since its digest: what was loaded may be another one."""
        changed = [
            path.relative_to(self.dataset.root).as_posix()
            for path, stamp in self.stamps.items()
            if _stamp_of(path) not in (stamp, None)
        ]
        if changed:
            raise TrainingDataError(
                f"{self.dataset.root}: {len(changed)} image(s) changed while they were loaded ({', '.join(changed[:5])}"
                f"{', …' if len(changed) > 5 else ''}) — they must stay as they are until then — give the same command "
                "again when nothing writes there any more"
            )

    def group_count(self) -> int:
        """Count the groups that the split never parts."""
        return len({sample.group for sample in self.dataset.samples})


def open_grouped(location: Location, *, find_groups: bool) -> Dataset:
    """Read a data set; where no file states groups and it is asked for, photos of the same piece become groups."""
    return group_by_look(location.read(), find_groups=find_groups and location.groups is None)


def group_by_look(dataset: Dataset, *, find_groups: bool) -> Dataset:
    """Return the data set with photos of the same piece in one group, unless groups are stated or none are wanted."""
    stated = any(sample.group != dataset.name_of(sample) for sample in dataset.samples)
    if stated or not find_groups:
        return dataset
    found = find_duplicates(list(dict.fromkeys(sample.path for sample in dataset.samples))).groups
    return replace(dataset, samples=tuple(replace(sample, group=found[sample.path]) for sample in dataset.samples))


def open_source(
    location: Location, *, find_groups: bool, seed: int, split_file: Path | None = None, task: str | None = None
) -> Source:
    """Read and split a data set for a task (None: as the labels allow), by a split file or by the seed.

    Raises DatasetError, or TrainingDataError when it cannot be trained on.
    """
    dataset = open_grouped(location, find_groups=find_groups)
    chosen, why = choose_task(task, dataset)
    stated = None if split_file is None else read_split(split_file, dataset)
    split = arrange(chosen, dataset, stated or split_dataset(dataset, seed=seed))
    if stated is None:
        refuse_untrainable(
            chosen,
            dataset,
            split,
            str(location.folder),
            "every class needs at least three groups (one each to train, validate and test with) — add photos, leave "
            "the class out, or say which photos show one piece with --groups FILE (--no-find-groups takes every photo "
            "for a piece of its own)",
        )
    else:
        refuse_untrainable(
            chosen,
            dataset,
            split,
            str(split_file),
            "every class must be trained, and there must be validation and test images — mend the split, or make one "
            "with `lineward dataset split`",
        )
    named = None if stated is None else split_digest(dataset, stated)
    stamps = {sample.path: stamp for sample in dataset.samples if (stamp := _stamp_of(sample.path)) is not None}
    return Source(dataset, split, dataset.digest(), channels_of(split.train), chosen, why, named, stamps)


def _stamp_of(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def channels_of(samples: Sequence[Sample]) -> int:
    """Give 1 where the probed training images are all grey (also when stored as RGB), else 3."""
    step = max(1, len(samples) // _PROBED)
    for sample in samples[::step]:
        pixels = load_sample(sample)
        if pixels.ndim == 3 and (np.ptp(pixels, axis=2) > 0).any():
            return 3
    return 1


def load_pixels(sample: Sample) -> NDArray[np.uint8]:
    """Return the pixels of a sample; of a golden image that is held against itself, as if photographed once more."""
    pixels = load_sample(sample)
    return rescan(pixels) if sample.template == sample.path else pixels


def fill_pixels(
    samples: Sequence[Sample],
    out: NDArray[np.uint8],
    threads: int,
    advance: Callable[[], None],
    ledger: Ledger | None = None,
) -> None:
    """Load and fit each sample into its row of `out`, uint8 (n, height, width, channels), a bounded number at once.

    Rows that a ledger has for complete are left as they are.
    """
    _, height, width, channels = out.shape

    def place(index: int) -> None:
        if ledger is not None and ledger.holds(index, out[index]):
            return
        fit(load_pixels(samples[index]), height, width, channels, out=out[index])
        if ledger is not None:
            ledger.note(index, out[index])

    for _ in each_of(len(samples), place, threads):
        advance()

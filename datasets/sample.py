"""A labelled image, and the set that it belongs to: what every other file here works on."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from datasets.files import sha256_of_each


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled image: a plain value, free to share between threads.

    label: class folder or defect name. group: images of one group show the same piece and are never parted by a split;
    the relative path where nobody stated groups. split: 'train', 'validation' or 'test' where the layout says so.
    """

    path: Path
    label: str
    group: str
    split: str | None
    mask: Path | None


@dataclass(frozen=True, slots=True)
class Dataset:
    """All labelled images under one folder: a plain value, free to share between threads.

    layout: 'class-folders', 'split-folders' or 'mvtec-ad'. good: the class that passes ('' only where the reader was
    told that none is required). samples: sorted by relative path. classes: the good one first, then sorted by name.
    """

    root: Path
    layout: str
    good: str
    samples: tuple[Sample, ...]
    classes: tuple[str, ...]

    def name_of(self, sample: Sample) -> str:
        """Return the sample's path relative to the root, with forward slashes."""
        return sample.path.relative_to(self.root).as_posix()

    def counts(self) -> dict[str, int]:
        """Return the number of images per class, in the order of `classes`."""
        found = Counter(sample.label for sample in self.samples)
        return {label: found[label] for label in self.classes}

    def digest(self) -> str:
        """Return the sha256 (hex) over relative path, content hash, label and group of every image, in path order.

        Reads every file once; the same files under another root give the same digest. Raises ImageError.
        """
        whole = hashlib.sha256()
        hashes = sha256_of_each([sample.path for sample in self.samples])
        for sample, content in zip(self.samples, hashes, strict=True):
            record = "\0".join((self.name_of(sample), content, sample.label, sample.group))
            whole.update(record.encode("utf-8", "surrogateescape") + b"\n")
        return whole.hexdigest()

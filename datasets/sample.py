"""A labelled image, and the set that it belongs to: what every other file here works on."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from datasets.files import sha256_of, sha256_of_each


@dataclass(frozen=True, slots=True)
class Mark:
    """A defect as somebody outlined it: its type, and the corners (x, y) in pixels of its outline or of its box."""

    label: str
    outline: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Place:
    """One of several places of a picture, each judged by itself: its name and its box in pixels."""

    name: str
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled image, or one place of it: a plain value, free to share between threads.

    label: class folder or defect type; the good class where nothing is marked, of several types the one that is marked
    most often. group: images of one group show the same piece and are never parted by a split;
    the relative path where nobody stated groups. split: 'train', 'validation' or 'test' where the layout says so.
    mask: a picture of the same size in which what is not 0 is defective. labels: all defect types of an image that
    shows several; empty: `label` alone. marks: where they are, as far as somebody outlined them. template: the picture
    of the same part without a defect. place: what of the picture is meant; None: all of it. taken: when it was
    photographed, ISO 8601; '' where nobody knows.
    """

    path: Path
    label: str
    group: str
    split: str | None
    mask: Path | None
    labels: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    template: Path | None = None
    place: Place | None = None
    taken: str = ""

    @property
    def types(self) -> tuple[str, ...]:
        """All labels of the image."""
        return self.labels or (self.label,)


@dataclass(frozen=True, slots=True)
class Dataset:
    """All labelled images under one folder: a plain value, free to share between threads.

    layout: name of its format in `datasets.readers.table`. good: the class that passes ('' only where the reader was
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

    def title_of(self, sample: Sample) -> str:
        """Return the name that tells a sample from all others: its path and, where it is one, its place."""
        name = self.name_of(sample)
        return f"{name} · {sample.place.name}" if sample.place is not None else name

    def counts(self) -> dict[str, int]:
        """Return the number of images per class, in the order of `classes`."""
        found = Counter(sample.label for sample in self.samples)
        return {label: found[label] for label in self.classes}

    def digest(self) -> str:
        """Return the sha256 (hex) over relative path, content hash, label and group of every image, in path order.

        What only some samples have (further labels, marks, masks, templates, places, times) counts where it is there.
        Reads every file once; the same files under another root give the same digest. Raises ImageError.
        """
        whole = hashlib.sha256()
        hashes = sha256_of_each([sample.path for sample in self.samples])
        for sample, content in zip(self.samples, hashes, strict=True):
            record = "\0".join((self.name_of(sample), content, sample.label, sample.group))
            more = self._more_of(sample)
            whole.update("\0".join((record, *more)).encode("utf-8", "surrogateescape") + b"\n")
        return whole.hexdigest()

    def _more_of(self, sample: Sample) -> list[str]:
        """Return in words what the samples of a plain class folder do not have."""
        told = [f"labels {','.join(sample.labels)}"] if sample.labels else []
        told += [f"mark {mark.label} {mark.outline}" for mark in sample.marks]
        told += [f"place {sample.place}"] if sample.place is not None else []
        told += [f"taken {sample.taken}"] if sample.taken else []
        files = [file for file in (sample.mask if sample.marks or sample.template else None, sample.template) if file]
        return told + [f"{file.relative_to(self.root).as_posix()} {sha256_of(file)}" for file in files]

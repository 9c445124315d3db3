"""Which golden image each photo is held against, how many of them a model may carry, and their pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.columns import describe_problems
from datasets.images import load_image
from datasets.sample import Dataset, Sample
from models.resize import fit
from training.ahead import each_of
from training.errors import TrainingDataError
from training.template.scan import two_levels

MAX_GOLDENS = 4096
MAX_BYTES = 128 * 2**20
_REMEDY = (
    "write templates.csv (file,template) into the folder, a line for each photo, or one line with the file * for all "
    "of one product"
)


@dataclass(frozen=True, slots=True)
class Assigned:
    """Golden images and whose they are: a plain value. files: each golden image once. of: photo -> place in `files`."""

    files: tuple[Path, ...]
    of: dict[Path, int]


def assign_goldens(dataset: Dataset) -> Assigned:
    """Return the golden image of each photo: the one it names, itself where it is one, or the only one that there is.

    Golden images of the same content are one. Raises TrainingDataError where there is none at all, and where some
    photos have none and it cannot be told which is meant.
    """
    named = list(dict.fromkeys(s.template for s in dataset.samples if s.template is not None))
    if not named:
        raise TrainingDataError(
            f"{dataset.root}: no photo has a golden image — the task 'template' compares each with one — {_REMEDY}"
        )
    place: dict[Path, int] = {}
    files: list[Path] = []
    contents: dict[str, int] = {}
    for file in named:
        pixels = load_image(file)
        content = hashlib.sha256(str(pixels.shape).encode() + pixels.tobytes()).hexdigest()
        if content not in contents:
            contents[content] = len(files)
            files.append(file)
        place[file] = contents[content]
    of: dict[Path, int] = {}
    without: list[str] = []
    for sample in dataset.samples:
        template = sample.template or (sample.path if sample.path in place else None)
        if template is not None:
            of[sample.path] = place[template]
        elif len(files) == 1:
            of[sample.path] = 0
        else:
            without.append(dataset.name_of(sample))
    if without:
        raise TrainingDataError(
            describe_problems(
                f"{dataset.root}: {len(without)} of {len(dataset.samples)} photos name no golden image, and of "
                f"{len(files)} nobody said which is theirs — {_REMEDY}",
                without,
                limit=10,
            )
        )
    return Assigned(tuple(files), of)


def load_goldens(
    assigned: Assigned, out: NDArray[np.uint8], threads: int, advance: Callable[[], None]
) -> dict[int, tuple[int, int]]:
    """Load each golden image into its row of `out`, uint8 (k, h, w, c); give the (width, height) of each file."""
    _, height, width, channels = out.shape

    def load(row: int) -> tuple[int, int]:
        pixels = load_image(assigned.files[row])
        fit(pixels, height, width, channels, out=out[row])
        return int(pixels.shape[1]), int(pixels.shape[0])

    sizes = {}
    for row, size in enumerate(each_of(len(assigned.files), load, threads)):
        sizes[row] = size
        advance()
    return sizes


def refuse_other_sizes(
    dataset: Dataset, samples: Sequence[Sample], sizes: Sequence[tuple[int, int]], of: Assigned,
    goldens: dict[int, tuple[int, int]],
) -> None:  # fmt: skip
    """Raise TrainingDataError that lists the photos of another (width, height) than their golden image."""
    wrong = []
    for sample, size in zip(samples, sizes, strict=True):
        row = of.of[sample.path]
        if size != goldens[row]:
            wide, high = goldens[row]
            wrong.append(f"{dataset.name_of(sample)}: {size[0]}×{size[1]}, {of.files[row].name} has {wide}×{high}")
    if wrong:
        raise TrainingDataError(
            describe_problems(
                f"{dataset.root}: {len(wrong)} photo(s) of another size than their golden image — both must come from "
                "the same region of the same camera — cut them alike",
                wrong,
                limit=10,
            )
        )


def stored_bytes(goldens: NDArray[np.uint8]) -> int:
    """Return how many bytes the golden images (k, h, w, c) take in a model: a bit a value where all are binarised."""
    return -(-goldens.size // 8) if all_binarised(goldens) else int(goldens.size)


def all_binarised(goldens: NDArray[np.uint8]) -> bool:
    """Tell whether each golden image has two levels at most."""
    return all(two_levels(golden) is not None or is_blank(golden) for golden in goldens)


def is_blank(golden: NDArray[np.uint8]) -> bool:
    """Tell whether a golden image shows nothing, so that no photo can be aligned with it."""
    return bool(golden.min() == golden.max())


def refuse_too_many(goldens: NDArray[np.uint8], where: str) -> None:
    """Raise TrainingDataError where the golden images (k, h, w, c) are more than a model may carry."""
    number, height, width, channels = goldens.shape
    needed = stored_bytes(goldens)
    if number > MAX_GOLDENS or needed > MAX_BYTES:
        raise TrainingDataError(
            f"{where}: {number} golden images of {width}×{height}×{channels} take {needed / 2**20:.0f} MiB of the "
            f"model — at most {MAX_GOLDENS} in {MAX_BYTES // 2**20} MiB are allowed — train with fewer products at a "
            "time, or choose a smaller --size"
        )

"""What a reader hands over: for each image what somebody wrote down about it, not yet held against the image itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets.errors import DatasetError
from datasets.groups import describe_problems
from datasets.sample import Mark, Place

MISSING_IMAGE = "image that is missing"
MISSING_ANNOTATION = "image without an annotation"
UNKNOWN_CATEGORY = "unknown category"
OUTSIDE = "mark outside its image"
NO_AREA = "mark without an area"
OTHER_SIZE = "image of another size than its annotation says"
MASK_SIZE = "mask of another size than its image"
MISSING_FILE = "mask or template that is missing"
TWICE = "image that is annotated twice"
UNREADABLE = "annotation that cannot be read"


class MalformedError(Exception):
    """One line, shape or file of the annotations cannot be understood; the text says why, without the file's name."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in the annotations: a plain value. kind: one of the words above. text: where, and with what."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Record:
    """One image, or one place of it, as the annotations describe it: a plain value.

    types: classes stated without an outline. relative: outlines are fractions of width and height (else pixels).
    stated_size: (width, height) of the picture that was annotated, as the annotation says. group: '' where not stated.
    """

    path: Path
    types: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    relative: bool = False
    stated_size: tuple[int, int] | None = None
    split: str | None = None
    mask: Path | None = None
    template: Path | None = None
    place: Place | None = None
    group: str = ""
    taken: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """All that a reader found. strays: image files without a place in the layout, each with the reason."""

    layout: str
    records: tuple[Record, ...]
    problems: tuple[Problem, ...] = ()
    strays: tuple[str, ...] = ()


def complaint(root: Path, problems: Sequence[Problem]) -> DatasetError:
    """Return the one error that counts all problems by their kind and lists them."""
    kinds = Counter(problem.kind for problem in problems)
    counted = ", ".join(f"{number} × {kind}" for kind, number in kinds.most_common())
    lines = [f"{problem.kind}: {problem.text}" for problem in sorted(problems, key=lambda item: item.kind)]
    return DatasetError(describe_problems(f"{root}: {len(problems)} problem(s) in the annotations ({counted})", lines))

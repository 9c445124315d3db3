"""From the places of images back to whole parts: one sample for each image, with what is said at each of its places."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from datasets.columns import describe_problems
from datasets.errors import DatasetError
from datasets.files import in_threads, read_bytes
from datasets.images import inspect_bytes
from datasets.sample import Place, Sample

Size = tuple[int, int]  # width, height

_SHARE = 0.005  # of the image's side, by which a place may lie elsewhere in an image of another size


@dataclass(frozen=True, slots=True)
class Parts:
    """Images whose places are judged one by one: a plain value.

    samples: one for each image, without a place, in the order of the samples that they were made of. places: the same
    for all images, in pixels of an image of `size`. labels: of each image the label at each place.
    """

    samples: tuple[Sample, ...]
    places: tuple[Place, ...]
    size: Size
    labels: tuple[tuple[str, ...], ...]


def has_places(samples: Sequence[Sample]) -> bool:
    """Tell whether samples stand for places of images rather than for images."""
    return any(sample.place is not None for sample in samples)


def gather_parts(samples: Sequence[Sample], good: str) -> Parts:
    """Return the parts that place samples belong to.

    A part is of the good class where all its places are, else of the defect that most of them show (of equals, the
    first by name). Raises DatasetError where images differ in the names of their places, or in where these lie (each as
    a share of its image), or where some samples have no place.
    """
    members: defaultdict[Path, dict[str, Sample]] = defaultdict(dict)
    for sample in samples:
        if sample.place is None:
            raise DatasetError(
                f"{sample.path}: has no places while other images have some; the same places of all images are "
                "needed; add it to the file of places, or take it out"
            )
        members[sample.path][sample.place.name] = sample
    sizes = sizes_of(list(members))
    first = next(iter(members))
    places = tuple(sample.place for sample in members[first].values() if sample.place is not None)
    problems = _differing(members, sizes, first, places)
    if problems:
        headline = (
            f"{len(problems)} image(s) have other places than {first}, which has {', '.join(p.name for p in places)}; "
            "all images of a set need the same places"
        )
        raise DatasetError(describe_problems(headline, problems))
    names = [place.name for place in places]
    rows = [[found[name] for name in names] for found in members.values()]
    return Parts(
        samples=tuple(_part(row, good) for row in rows),
        places=places,
        size=sizes[first],
        labels=tuple(tuple(sample.label for sample in row) for row in rows),
    )


def sizes_of(paths: Sequence[Path]) -> dict[Path, Size]:
    """Return width and height of each image file, without decoding it. Raises ImageError."""
    return dict(zip(paths, in_threads(_size_of, paths), strict=True))


def _size_of(path: Path) -> Size:
    header = inspect_bytes(path, read_bytes(path))
    return header.width, header.height


def _part(samples: Sequence[Sample], good: str) -> Sample:
    found = Counter(label for sample in samples for label in sample.types if label != good)
    types = sorted(found, key=lambda label: (-found[label], label))
    marks = tuple(mark for sample in samples for mark in sample.marks)
    return replace(
        samples[0],
        label=types[0] if types else good,
        labels=tuple(types) if len(types) > 1 else (),
        marks=marks,
        place=None,
    )


def _differing(
    members: dict[Path, dict[str, Sample]], sizes: dict[Path, Size], first: Path, places: Sequence[Place]
) -> list[str]:
    """Tell of each image how its places differ from those of the first."""
    wanted = {place.name: _shares(place, sizes[first]) for place in places}
    problems = []
    for path, found in members.items():
        if found.keys() != wanted.keys():
            problems.append(f"{path}: has the places {', '.join(found)}")
            continue
        for name, sample in found.items():
            assert sample.place is not None
            shares = _shares(sample.place, sizes[path])
            if max(abs(a - b) for a, b in zip(shares, wanted[name], strict=True)) > _SHARE:
                width, height = sizes[path]
                problems.append(f"{path}: '{name}' lies elsewhere in its {width}×{height} pixels")
                break
    return problems


def _shares(place: Place, size: Size) -> tuple[float, float, float, float]:
    width, height = size
    return place.x / width, place.y / height, (place.x + place.width) / width, (place.y + place.height) / height

"""One reader for class folders and for the MVTec-AD layout."""

from __future__ import annotations

from pathlib import Path

from datasets.errors import DatasetError, ImageError
from datasets.files import Progress, in_threads, read_bytes
from datasets.groups import GROUPS_FILE, describe_problems, read_groups
from datasets.images import inspect_bytes, load_image
from datasets.layout import find_good, list_images
from datasets.sample import Dataset, Sample

__all__ = ["load_image", "read_dataset"]


def read_dataset(
    root: Path,
    *,
    good: str | None = None,
    groups: Path | None = None,
    require_good: bool = True,
    progress: Progress | None = None,
) -> Dataset:
    """Return every labelled image under `root`; `datasets.layout` says which layouts there are.

    good: the class that passes, else found by its name. groups: a groups file, else `groups.csv` in the root where it
    exists. Every file is read once and checked without decoding it: content as its name says, complete, size in bounds.
    Raises DatasetError: one that names all files which cannot be used, or one that lists the classes.
    """
    root = root.resolve()
    listing = list_images(root)
    paths = [entry.path for entry in listing.entries]
    found = in_threads(_problem_of, paths, total=len(paths), progress=progress)
    problems = [*listing.strays, *(problem for problem in found if problem)]
    if problems:
        raise DatasetError(describe_problems(f"{root}: {len(problems)} image file(s) cannot be used", problems))
    if not paths:
        raise DatasetError(
            f"{root}: no images; class folders of JPEG, PNG, BMP or TIFF files are needed; check the path"
        )
    labels = sorted({entry.label for entry in listing.entries})
    passes = find_good(labels, good, required=require_good)
    file = groups if groups is not None else root / GROUPS_FILE
    grouped = read_groups(file, root, listing.entries) if groups is not None or file.is_file() else {}
    samples = tuple(
        Sample(e.path, e.label, grouped.get(e.path) or e.path.relative_to(root).as_posix(), e.split, e.mask)
        for e in listing.entries
    )
    classes = ([passes] if passes else []) + [label for label in labels if label != passes]
    return Dataset(root, listing.layout, passes, samples, tuple(classes))


def _problem_of(path: Path) -> str:
    try:
        inspect_bytes(path, read_bytes(path))
    except ImageError as error:
        return str(error)
    return ""

"""The folder of a data set, walked once, and the search for the image that an annotation means."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from datasets.files import FORMAT_OF_SUFFIX, UNSUPPORTED_SUFFIXES
from datasets.layout import SPLIT_OF_FOLDER

MASK_FOLDERS = frozenset(
    {"ground_truth", "mask", "masks", "mask-images", "segmentationclass", "segmentationobject", "annotations"}
)
_DOCUMENTS = frozenset({".json", ".xml", ".csv", ".txt", ".toml", ".yaml", ".yml", ".names"})


@dataclass(frozen=True)
class Folder:
    """What lies under a root: its images, and the documents that may say what these show. Hidden files are left out.

    A plain value, free to share between threads. named: the annotations that the caller named; `documents` then
    has just these.
    """

    root: Path
    images: tuple[Path, ...]
    documents: Mapping[str, tuple[Path, ...]]
    named: Path | None = None

    def with_suffix(self, *suffixes: str) -> tuple[Path, ...]:
        """Return the documents whose name ends so, sorted by path."""
        return tuple(path for suffix in suffixes for path in self.documents.get(suffix, ()))

    def relative(self, path: Path) -> str:
        """Return the path under the root with forward slashes, or all of it where it lies elsewhere."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)

    @cached_property
    def by_name(self) -> Mapping[str, tuple[Path, ...]]:
        """Images by their bare file name."""
        found: defaultdict[str, list[Path]] = defaultdict(list)
        for path in self.images:
            found[path.name].append(path)
        return {name: tuple(paths) for name, paths in found.items()}

    @cached_property
    def by_stem(self) -> Mapping[str, tuple[Path, ...]]:
        """Images by their file name without its suffix."""
        found: defaultdict[str, list[Path]] = defaultdict(list)
        for path in self.images:
            found[path.stem].append(path)
        return {stem: tuple(paths) for stem, paths in found.items()}

    def find(self, name: str, near: Path) -> Path | None:
        """Return the image that the annotation file `near` calls `name`; None where there is none, or no single one.

        Names come as paths of the machine that somebody labelled at, so what counts is the file name, then how many
        folders above it agree, then how near the image lies to the annotation file. Nothing outside the root is found.
        """
        parts = PurePosixPath(name.strip().replace("\\", "/")).parts
        return self._nearest(self.by_name.get(parts[-1], ()), parts, near) if parts else None

    def find_stem(self, stem: str, near: Path) -> Path | None:
        """Return the image of that name without suffix, the one nearest to `near` where there are several."""
        return self._nearest(self.by_stem.get(stem, ()), (stem,), near)

    def _nearest(self, candidates: tuple[Path, ...], parts: tuple[str, ...], near: Path) -> Path | None:
        if len(candidates) <= 1:
            return candidates[0] if candidates else None

        def fitness(path: Path) -> tuple[int, int]:
            return _common(path.parts[::-1], parts[::-1]), _common(path.parent.parts, near.parent.parts)

        first, second = sorted(candidates, key=fitness, reverse=True)[:2]
        return None if fitness(first) == fitness(second) else first

    def split_of(self, path: Path) -> str | None:
        """Return the split that a folder between the root and a file names, if one does."""
        parts = path.relative_to(self.root).parts[:-1] if path.is_relative_to(self.root) else ()
        return next((SPLIT_OF_FOLDER[part.lower()] for part in parts if part.lower() in SPLIT_OF_FOLDER), None)

    def photographs(self) -> tuple[Path, ...]:
        """Return the images that lie in no folder of masks."""
        return tuple(
            path
            for path in self.images
            if not any(part.lower() in MASK_FOLDERS for part in path.relative_to(self.root).parts[:-1])
        )


def walk(root: Path, annotations: Path | None = None) -> Folder:
    """Return what lies under `root`; links to folders are not followed. annotations: the only document to consider."""
    images: list[Path] = []
    documents: defaultdict[str, list[Path]] = defaultdict(list)
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__MACOSX"]
        for name in names:
            suffix = Path(name).suffix.lower()
            if name.startswith("."):
                continue
            if suffix in FORMAT_OF_SUFFIX or suffix in UNSUPPORTED_SUFFIXES:
                images.append(Path(folder) / name)
            elif suffix in _DOCUMENTS and annotations is None:
                documents[suffix].append(Path(folder) / name)
    if annotations is not None:
        documents[annotations.suffix.lower()].append(annotations.resolve())

    def order(path: Path) -> str:
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)

    sorted_documents = {suffix: tuple(sorted(paths, key=order)) for suffix, paths in documents.items()}
    named = annotations.resolve() if annotations is not None else None
    return Folder(root, tuple(sorted(images, key=order)), sorted_documents, named)


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """Return how many items two sequences begin with in common."""
    number = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        number += 1
    return number

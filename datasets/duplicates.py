"""Finds by itself which images are copies of each other and which show the same piece."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datasets.files import Progress, in_threads, read_bytes
from datasets.fingerprint import CONTENT_PX, Look, look_of
from datasets.images import inspect_bytes, load_image
from datasets.linking import link
from datasets.near import Pairs, candidates, scores_of, threshold_of

_SCALE_STEP = 1.15  # images whose sizes differ by less were most likely taken at one scale and cropped
_DARK = 32  # of 255, below which all of a picture is nearly black: 12 bits in a 16-bit file end at 16


@dataclass(frozen=True, slots=True)
class Pair:
    """Two images of one piece; score: height of their correlation peak, 0…1."""

    first: Path
    second: Path
    score: float


@dataclass(frozen=True, slots=True)
class Duplicates:
    """What repeats in a set of images: a plain value. All in the order of the paths that were given.

    exact: images of equal content. near: pairs found by their looks, of images that differ in content. threshold: the
    peak from which a pair counted. groups: group of every path (images without a duplicate have one of their own).
    sizes: width, height of every path. turned: images whose EXIF orientation says that they lie on a side or head.
    dark: images without a pixel above `_DARK`.
    """

    exact: tuple[tuple[Path, ...], ...]
    near: tuple[Pair, ...]
    threshold: float
    groups: Mapping[Path, str]
    sizes: Mapping[Path, tuple[int, int]]
    turned: tuple[Path, ...] = ()
    dark: tuple[Path, ...] = ()

    def repeated(self) -> tuple[tuple[Path, ...], ...]:
        """Return the groups of more than one image."""
        members: defaultdict[str, list[Path]] = defaultdict(list)
        for path, group in self.groups.items():
            members[group].append(path)
        return tuple(tuple(paths) for paths in members.values() if len(paths) > 1)


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """How well groups that were found agree with groups that were stated, counted in pairs of images."""

    found: int
    stated: int
    common: int

    @property
    def precision(self) -> float:
        """Share of the found pairs that were stated; 1 where none was found."""
        return self.common / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Share of the stated pairs that were found; 1 where none was stated."""
        return self.common / self.stated if self.stated else 1.0


def find_duplicates(paths: Sequence[Path], *, progress: Progress | None = None) -> Duplicates:
    """Return what repeats among image files, by content (sha256) and by look.

    A look takes away exposure, light and crop; mirrored or turned copies are not found, and neither are pieces that no
    fine structure tells apart. Neither names nor classes are used. Memory: about 40 kB an image. Raises ImageError.
    """
    steps = 2 * len(paths)
    facts = list(in_threads(_fact, paths, total=steps, progress=progress))
    same: defaultdict[str, list[int]] = defaultdict(list)
    for index, fact in enumerate(facts):
        same[fact[0]].append(index)
    unique = [indices[0] for indices in same.values()]
    sizes = np.array([facts[index][1] for index in unique]).reshape(-1, 2)

    def advance(done: int, total: int) -> None:
        if progress is not None:
            progress(len(paths) + done + len(paths) - len(unique), total)

    pairs, scores, threshold, brightest = _near(
        [paths[index] for index in unique], sizes, total=steps, progress=advance
    )
    pairs = np.asarray(unique, np.int64)[pairs] if len(pairs) else pairs
    numbers = link(len(paths), same.values(), pairs, scores.tolist())
    width = len(str(len(paths)))
    return Duplicates(
        exact=tuple(tuple(paths[k] for k in indices) for indices in same.values() if len(indices) > 1),
        near=tuple(Pair(paths[a], paths[b], float(s)) for (a, b), s in zip(pairs.tolist(), scores, strict=True)),
        threshold=threshold,
        groups={path: f"piece-{number + 1:0{width}d}" for path, number in zip(paths, numbers, strict=True)},
        sizes={path: size for path, (_, size, _) in zip(paths, facts, strict=True)},
        turned=tuple(path for path, (*_, orientation) in zip(paths, facts, strict=True) if orientation != 1),
        dark=tuple(
            paths[k]
            for first, high in zip(unique, brightest, strict=True)
            if high < _DARK
            for k in same[facts[first][0]]
        ),
    )


def compare_groups(found: Mapping[Path, str], stated: Mapping[Path, str]) -> PairAgreement:
    """Count the pairs of images in one group: as found, as stated, and in both."""

    def pairs(keys: Counter[tuple[str, ...]]) -> int:
        return sum(number * (number - 1) // 2 for number in keys.values())

    return PairAgreement(
        found=pairs(Counter((group,) for group in found.values())),
        stated=pairs(Counter((stated[path],) for path in found)),
        common=pairs(Counter((group, stated[path]) for path, group in found.items())),
    )


def _fact(path: Path) -> tuple[str, tuple[int, int], int]:
    data = read_bytes(path)
    header = inspect_bytes(path, data)
    return hashlib.sha256(data).hexdigest(), (header.width, header.height), header.orientation


def _near(
    paths: Sequence[Path], sizes: np.ndarray[tuple[int, int], np.dtype[np.int64]], *, total: int, progress: Progress
) -> tuple[Pairs, np.ndarray[tuple[int], np.dtype[np.float32]], float, list[int]]:
    """Return the pairs that show one piece, their scores, the threshold, and the brightest pixel of each image.

    Images are compared at one common scale, where crops of one piece meet, and where sizes differ also with every image
    scaled to one length, where a copy meets the picture that it was made smaller from.
    """
    long_sides = sizes.max(axis=1) if len(sizes) else np.ones(0)
    common = max(1.0, float(np.median(long_sides)) / CONTENT_PX) if len(sizes) else 1.0
    resized = bool(len(sizes)) and long_sides.max() > _SCALE_STEP * long_sides.min()

    def looks_of(index: int) -> tuple[Look, Look | None, int]:
        pixels = load_image(paths[index])
        own = max(1.0, float(long_sides[index]) / CONTENT_PX)
        return look_of(pixels, common), look_of(pixels, own) if resized else None, int(pixels.max())

    looks = list(in_threads(looks_of, range(len(paths)), total=total, progress=progress))
    shifted = [look for look, *_ in looks]
    threshold = threshold_of(shifted)
    pairs = candidates(shifted)
    scores = scores_of(shifted, pairs)
    if resized:
        scaled = [look for _, look, _ in looks if look is not None]
        more = candidates(scaled)
        ratio = long_sides[more[:, 0]] / long_sides[more[:, 1]]
        more = more[np.maximum(ratio, 1 / ratio) > _SCALE_STEP]
        pairs, scores = np.concatenate([pairs, more]), np.concatenate([scores, scores_of(scaled, more)])
    order = np.lexsort((-scores, pairs[:, 1], pairs[:, 0]))
    pairs, scores = pairs[order], scores[order]
    first = np.ones(len(pairs), bool)
    first[1:] = (pairs[1:] != pairs[:-1]).any(axis=1)
    keep = first & (scores >= threshold)
    return pairs[keep], scores[keep], threshold, [brightest for *_, brightest in looks]

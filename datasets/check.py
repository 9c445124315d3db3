"""What is in a data set, and what would make figures measured on it untrue."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from datasets.duplicates import Duplicates, PairAgreement, compare_groups, find_duplicates
from datasets.files import Progress
from datasets.sample import Dataset
from datasets.splits import NAMES, split_dataset
from datasets.suspects import Suspicion

_LISTED = 10  # file names told in one sentence; JSON has them all


@dataclass(frozen=True, slots=True)
class Straddle:
    """Two images of one piece that the split puts into two parts, so that these are not independent."""

    first: str
    second: str
    parts: tuple[str, str]
    score: float  # 1 for equal content


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a check: a plain value; all names are paths relative to the root.

    sizes: (width, height, images), the most frequent first. repeated: groups of images of one piece. stated_groups:
    True where a groups file says what belongs together. agreement: what was found against that file, None without one.
    suspects: labels that are probably wrong, None where nobody looked for them. turned: images with an EXIF
    orientation, which is not followed. dark: images that are nearly black.
    """

    root: str
    layout: str
    good: str
    seed: int
    counts: dict[str, int]
    split_counts: dict[str, dict[str, int]]
    sizes: tuple[tuple[int, int, int], ...]
    exact: tuple[tuple[str, ...], ...]
    repeated: tuple[tuple[str, ...], ...]
    near_pairs: int
    threshold: float
    straddling: tuple[Straddle, ...]
    conflicts: tuple[tuple[str, ...], ...]
    stated_groups: bool
    agreement: PairAgreement | None
    suspects: Suspicion | None = None
    turned: tuple[str, ...] = ()
    dark: tuple[str, ...] = ()

    def errors(self) -> list[str]:
        """Return what must be mended before a model is trained, one sentence each."""
        found = []
        if not self.good:
            found.append(f"no class is known to be good ({', '.join(self.counts)}); say which passes with --good NAME")
        found += [f"same content, different classes: {listed(names)}; keep the right one" for names in self.conflicts]
        return found

    def warnings(self) -> list[str]:
        """Return what would make figures look other than they are, one sentence each."""
        found = []
        single = [label for label, number in self.counts.items() if number == 1]
        if single:
            found.append(
                f"{len(single)} class(es) with one image, which no split can part: {', '.join(single)}; add photos"
            )
        if self.straddling:
            cure = (
                "mend the groups file"
                if self.stated_groups
                else "run 'lineward dataset groups' and keep its groups.csv"
            )
            found.append(f"{len(self.straddling)} pairs of images of one piece straddle the split; {cure}")
        if self.turned:
            found.append(
                f"{len(self.turned)} image(s) carry an EXIF orientation, which is not followed: they are used as the "
                f"sensor stored them, and marks count from that corner; where that is wrong, turn the pixels and save "
                f"again: {listed(self.turned)}"
            )
        if self.dark:
            found.append(
                f"{len(self.dark)} image(s) are nearly black; of 16-bit files the full range counts, so values of "
                f"fewer bits must be scaled up first: {listed(self.dark)}"
            )
        if self.suspects is not None and self.suspects.found:
            found.append(self.suspects.verdict())
        return found

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        agreement = self.agreement
        rates = {} if agreement is None else {"precision": agreement.precision, "recall": agreement.recall}
        return {
            **asdict(self),
            "images": sum(self.counts.values()),
            "agreement": None if agreement is None else {**asdict(agreement), **rates},
            "errors": self.errors(),
            "warnings": self.warnings(),
        }


def listed(names: Sequence[str]) -> str:
    """Return the first ten names, and how many more there are."""
    more = f" … and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def check_dataset(dataset: Dataset, *, seed: int = 0, progress: Progress | None = None) -> Report:
    """Return what a data set holds and which of its images repeat; reads every file. Raises ImageError."""
    found = find_duplicates(list(dict.fromkeys(sample.path for sample in dataset.samples)), progress=progress)
    own = {sample.path: dataset.name_of(sample) for sample in dataset.samples}
    stated = {sample.path: sample.group for sample in dataset.samples}
    grouped = stated != own
    split = split_dataset(dataset, seed=seed)
    labels_of = _labels_of(dataset)
    split_counts = {}
    for name, samples in zip(NAMES, (split.train, split.validation, split.test), strict=True):
        number = Counter(sample.label for sample in samples)
        split_counts[name] = {label: number[label] for label in dataset.classes}
    return Report(
        root=str(dataset.root),
        layout=dataset.layout,
        good=dataset.good,
        seed=seed,
        counts=dataset.counts(),
        split_counts=split_counts,
        sizes=tuple((w, h, n) for (w, h), n in Counter(found.sizes.values()).most_common()),
        exact=_names(own, found.exact),
        repeated=_names(own, found.repeated()),
        near_pairs=len(found.near),
        threshold=found.threshold,
        straddling=_straddling(own, found, split.part_of()),
        conflicts=_names(own, (paths for paths in found.exact if len({labels_of[path] for path in paths}) > 1)),
        stated_groups=grouped,
        agreement=compare_groups(found.groups, stated) if grouped else None,
        turned=tuple(own[path] for path in found.turned),
        dark=tuple(own[path] for path in found.dark),
    )


def _labels_of(dataset: Dataset) -> dict[Path, tuple[tuple[str, ...], ...]]:
    """Return what is said about each image: its types, or those at each of its places."""
    found: defaultdict[Path, list[tuple[str, ...]]] = defaultdict(list)
    for sample in dataset.samples:
        found[sample.path].append((sample.place.name if sample.place else "", *sorted(sample.types)))
    return {path: tuple(sorted(said)) for path, said in found.items()}


def _names(names: dict[Path, str], groups: Any) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(names[path] for path in paths) for paths in groups)


def _straddling(names: dict[Path, str], found: Duplicates, part_of: dict[Path, str]) -> tuple[Straddle, ...]:
    """Return the found pairs of which the images lie in different parts, the surest first."""
    pairs = [(a, b, 1.0) for paths in found.exact for k, a in enumerate(paths) for b in paths[k + 1 :]]
    pairs += [(pair.first, pair.second, pair.score) for pair in found.near]
    parted: defaultdict[tuple[str, str], float] = defaultdict(float)
    parts: dict[tuple[str, str], tuple[str, str]] = {}
    for a, b, score in pairs:
        if part_of[a] != part_of[b]:
            key = (names[a], names[b])
            parted[key], parts[key] = max(parted[key], score), (part_of[a], part_of[b])
    ordered = sorted(parted.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Straddle(*key, parts[key], round(score, 4)) for key, score in ordered)

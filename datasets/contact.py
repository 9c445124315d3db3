"""What a contact sheet shows: which images, in which order, and what is written below them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from datasets.check import Report
from datasets.files import Progress, in_threads
from datasets.sample import Dataset, Sample
from datasets.thumbnails import Thumbnail, make_thumbnail

_GROUPS = 40  # of repeated images, of conflicts
_MEMBERS = 6  # images of one of them
_SUSPECTS = 120


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture with the lines below it."""

    picture: Thumbnail
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, a sentence, and tiles; the tiles of one row belong together."""

    heading: str
    note: str
    rows: tuple[tuple[Tile, ...], ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """All that a contact sheet shows: a plain value. facts: name and value; table: its first row is the heading."""

    title: str
    facts: tuple[tuple[str, str], ...]
    table: tuple[tuple[str, ...], ...]
    troubles: tuple[str, ...]
    sections: tuple[Section, ...]


_Row = list[tuple[Sample, tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class _Plan:
    """A section before its pictures are made: rows of samples with the lines below each."""

    heading: str
    note: str
    rows: list[_Row]


def make_sheet(
    dataset: Dataset,
    report: Report,
    *,
    scores: Mapping[Path, float] | None = None,
    per_class: int = 24,
    most: int = 1500,
    side: int = 160,
    progress: Progress | None = None,
) -> Sheet:
    """Return the contact sheet of a data set that was checked; at most about `most` pictures of `side` pixels.

    scores: defect probability of each image; with them the images that are judged worst come first. Without, images
    are taken evenly from the sorted paths. Raises ImageError.
    """
    plans = [*_suspects(dataset, report), *_repeated(dataset, report)]
    taken = sum(len(row) for plan in plans for row in plan.rows)
    shown = max(1, min(per_class, (most - taken) // max(1, len(dataset.classes))))
    plans += [_class(dataset, label, scores or {}, shown) for label in dataset.classes[:most]]
    samples = [sample for plan in plans for row in plan.rows for sample, _ in row]
    pictures = in_threads(lambda sample: make_thumbnail(sample, side), samples, total=len(samples), progress=progress)
    sections = []
    for plan in plans:
        rows = tuple(tuple(_tile(next(pictures), lines) for _, lines in row) for row in plan.rows)
        sections.append(Section(plan.heading, plan.note, rows))
    for _ in pictures:  # the threads end when all is taken
        pass
    troubles = (*report.errors(), *report.warnings())
    return Sheet(dataset.root.name, _facts(dataset, report), _table(report), troubles, tuple(sections))


def _tile(picture: Thumbnail, lines: tuple[str, ...]) -> Tile:
    size = f"{picture.width}×{picture.height}"
    return Tile(picture, (*lines, size, *([picture.trouble] if picture.trouble else [])))


def _class(dataset: Dataset, label: str, scores: Mapping[Path, float], shown: int) -> _Plan:
    samples = [sample for sample in dataset.samples if label in sample.types]
    good = label == dataset.good
    verdict = "passes" if good else "is rejected" if dataset.good else "nobody said whether it passes"
    scored = [sample for sample in samples if sample.path in scores]
    if scored:
        chosen = sorted(scored, key=lambda sample: scores[sample.path] * (-1 if good else 1))[:shown]
        order = "the highest defect scores first" if good else "the lowest defect scores first"
    else:
        chosen = [samples[k * len(samples) // min(shown, len(samples))] for k in range(min(shown, len(samples)))]
        order = "taken evenly in the order of their paths"
    note = f"{len(samples)} images; {verdict}. {len(chosen)} are shown, {order}."
    rows = []
    for sample in chosen:
        told = (f"defect score {scores[sample.path]:.3f}",) if sample.path in scores else ()
        several = (", ".join(sample.types),) if len(sample.types) > 1 else ()
        rows.append([(sample, (dataset.title_of(sample), *several, *told))])
    return _Plan(f"Class {label}", note, rows)


def _suspects(dataset: Dataset, report: Report) -> list[_Plan]:
    if report.suspects is None or not report.suspects.found:
        return []
    by_title = {dataset.title_of(sample): sample for sample in dataset.samples}
    found = report.suspects.found[:_SUSPECTS]
    rows: list[_Row] = []
    for one in found:
        given = f"labelled {one.given} ({100 * one.given_probability:.0f} %)"
        suggested = f"looks like {one.suggested} ({100 * one.suggested_probability:.0f} %)"
        rows.append([(by_title[one.file], (one.file, given, suggested))])
    note = (
        f"{len(report.suspects.found)} of {report.suspects.images} images; {len(found)} are shown, the least believed "
        f"labels first. A classifier that never saw the image judges it; it gives "
        f"{100 * report.suspects.agreement:.1f} % of all labels itself."
    )
    return [_Plan("Suspect labels", note, rows)]


def _repeated(dataset: Dataset, report: Report) -> list[_Plan]:
    by_name = _by_name(dataset)
    exact = set(report.exact)
    near = [names for names in report.repeated if names not in exact]
    plans = []
    for heading, groups, note in (
        ("Same content, different classes", report.conflicts, "keep the right one"),
        ("Same content", [names for names in report.exact if names not in report.conflicts], "copies of one file"),
        ("Same piece", near, "found by look; no split may part them"),
    ):
        if not groups:
            continue
        shown = groups[:_GROUPS]
        rows = [_members(dataset, [by_name[name] for name in names]) for names in shown]
        more = f" of which {len(shown)} are shown" if len(groups) > len(shown) else ""
        plans.append(_Plan(heading, f"{len(groups)} group{'s' if len(groups) != 1 else ''}{more}: {note}.", rows))
    return plans


def _members(dataset: Dataset, samples: Sequence[Sample]) -> _Row:
    shown: _Row = [(sample, (dataset.title_of(sample),)) for sample in samples[:_MEMBERS]]
    if len(samples) > _MEMBERS:
        last, lines = shown[-1]
        shown[-1] = (last, (*lines, f"… and {len(samples) - _MEMBERS} more"))
    return shown


def _by_name(dataset: Dataset) -> dict[str, Sample]:
    """Return the whole image of each name, without the places that samples may stand for."""
    return {dataset.name_of(sample): replace(sample, place=None) for sample in reversed(dataset.samples)}


def _facts(dataset: Dataset, report: Report) -> tuple[tuple[str, str], ...]:
    widths, heights = [size[0] for size in report.sizes], [size[1] for size in report.sizes]
    listed = ", ".join(f"{width}×{height} ({number})" for width, height, number in report.sizes[:4])
    ranges = f"{len(report.sizes)} different, {min(widths)}…{max(widths)} wide, {min(heights)}…{max(heights)} high"
    masks = sum(sample.mask is not None for sample in dataset.samples)
    marks = Counter(mark.label for sample in dataset.samples for mark in sample.marks)
    suspects = report.suspects
    looked = "not looked for" if suspects is None else f"{len(suspects.found)} of {suspects.images} ({suspects.told})"
    return (
        ("Layout", report.layout),
        ("Good class", report.good or "unknown"),
        ("Sizes in pixels", listed if len(report.sizes) <= 4 else ranges),
        ("Masks", f"{masks} images"),
        ("Marks", f"{sum(marks.values())}" + "".join(f", {label} {number}" for label, number in sorted(marks.items()))),
        ("Same content", f"{len(report.exact)} groups"),
        ("Same piece", f"{len(report.repeated)} groups of {sum(map(len, report.repeated))} images"),
        ("Suspect labels", looked),
    )


def _table(report: Report) -> tuple[tuple[str, ...], ...]:
    head = ("class", "images", *report.split_counts)
    rows = [
        (label, str(number), *(str(part[label]) for part in report.split_counts.values()))
        for label, number in report.counts.items()
    ]
    totals = [sum(part.values()) for part in report.split_counts.values()]
    return (head, *rows, ("all", str(sum(report.counts.values())), *map(str, totals)))

"""`lineward dataset split`, `describe` and `report`: what a data set is handed on with."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datasets.options import Annotations, Backbone, Folder, Form, Good, Groups, Json, Threads, Weights
from datasets.screen import progress_bar

if TYPE_CHECKING:
    from datasets.sample import Dataset
    from datasets.splits import Split


class By(StrEnum):
    """What a split must not part, or go by."""

    GROUP = "group"
    LOT = "lot"
    TIME = "time"


def split(
    folder: Folder,
    out: Annotated[Path, typer.Option(help="CSV file to write, for --split-file of train and evaluate.")],
    by: Annotated[By, typer.Option(help="Part no piece; part no lot; or hold out the newest images.")] = By.GROUP,
    fractions: Annotated[str, typer.Option(help="Shares of train, validation, test.")] = "0.6,0.2,0.2",
    table: Annotated[
        Path | None, typer.Option(help="CSV with file,lot or file,taken; else groups.csv in DIR.", metavar="FILE")
    ] = None,
    column: Annotated[str | None, typer.Option(help="Column of that table; else lot or taken.")] = None,
    form: Form = None,
    annotations: Annotations = None,
    groups: Groups = None,
    find_groups: Annotated[
        bool, typer.Option(help="Where no groups are stated, keep near duplicates together.")
    ] = True,
    seed: Annotated[int, typer.Option(help="Another seed, another split (not by time).", min=0)] = 0,
    good: Good = None,
    as_json: Json = False,
) -> None:
    """Write which image trains, validates and tests; images of one piece never lie in two parts."""
    from datasets.errors import DatasetError
    from datasets.inspecting import read_shown
    from datasets.location import Location
    from datasets.partition import group_by_look, split_by_lot, split_by_time
    from datasets.splitfile import write_split
    from datasets.splits import split_dataset

    if out.exists():
        raise DatasetError(f"{out}: exists; a split is never overwritten; remove it or choose another --out")
    shares = _fractions(fractions)
    dataset = read_shown(Location(folder, form, annotations, good, groups))
    if find_groups:
        with progress_bar("comparing") as advance:
            dataset = group_by_look(dataset, progress=advance)
    if by is By.LOT:
        found = split_by_lot(dataset, _column(dataset, table, column or "lot"), seed=seed, fractions=shares)
    elif by is By.TIME:
        found = split_by_time(dataset, _times(dataset, table, column), fractions=shares)
    else:
        found = split_dataset(dataset, seed=seed, fractions=shares)
    write_split(out, dataset, found)
    _tell_split(out, by, dataset, found, as_json=as_json)


def describe(
    folder: Folder,
    out: Annotated[Path, typer.Option(help="JSON file to write; it belongs into DIR, as croissant.json.")],
    licence: Annotated[
        list[str], typer.Option("--licence", "--license", help="SPDX name, address or words; may be repeated.")
    ],
    creator: Annotated[list[str] | None, typer.Option(help="A person who made the images; may be repeated.")] = None,
    organisation: Annotated[list[str] | None, typer.Option(help="A firm that made them; may be repeated.")] = None,
    name: Annotated[str, typer.Option(help="Name of the data set; else that of the folder.")] = "",
    description: Annotated[str, typer.Option(help="What it shows; else its classes and counts.")] = "",
    set_version: Annotated[str, typer.Option("--set-version", help="Version of the data set.")] = "1.0.0",
    published: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day; else today.")] = None,
    url: Annotated[str, typer.Option(help="Where the data set is kept; else named by its digest.")] = "",
    cite_as: Annotated[str, typer.Option(help="How to cite it; else made of the above.")] = "",
    split_file: Annotated[Path | None, typer.Option(help="CSV with file,split to describe along.")] = None,
    form: Form = None,
    annotations: Annotations = None,
    groups: Groups = None,
    good: Good = None,
    as_json: Json = False,
) -> None:
    """Write MLCommons Croissant 1.0 metadata: licences, makers, and of each image hash, size, label, group and part."""
    from datasets.croissant import Origin, write_croissant
    from datasets.croissant import describe as describe_dataset
    from datasets.inspecting import read_shown
    from datasets.location import Location
    from datasets.splitfile import read_split

    dataset = read_shown(Location(folder, form, annotations, good, groups))
    origin = Origin(
        licences=tuple(licence),
        people=tuple(creator or ()),
        organisations=tuple(organisation or ()),
        name=name,
        description=description,
        version=set_version,
        published=published.date() if published is not None else None,
        url=url,
        cite_as=cite_as,
    )
    parts = read_split(split_file, dataset) if split_file is not None else None
    with progress_bar("hashing") as advance:
        metadata = describe_dataset(dataset, origin, split=parts, progress=advance)
    write_croissant(out, metadata)
    inside = out.resolve().parent == dataset.root
    summary = {"out": str(out), "images": len(dataset.samples), "identifier": metadata["identifier"], "inside": inside}
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False))
        return
    typer.echo(f"{out}: {len(dataset.samples)} images, {metadata['identifier']}")
    if not inside:
        typer.echo(f"its paths begin in the folder where it lies: put it into {dataset.root} before it is handed on")


def report(
    folder: Folder,
    out: Annotated[Path, typer.Option(help="File to write: .html to look through, or .png.")],
    weights: Weights = None,
    backbone: Backbone = "mobilenet_v2",
    scores: Annotated[
        Path | None, typer.Option(help="CSV with file,score (defect probability): the worst come first.")
    ] = None,
    per_class: Annotated[int, typer.Option(help="Images shown of a class.", min=1, max=500)] = 24,
    form: Form = None,
    annotations: Annotations = None,
    groups: Groups = None,
    good: Good = None,
    seed: Annotated[int, typer.Option(help="Seed of the split whose counts are shown.", min=0)] = 0,
    threads: Threads = 2,
    as_json: Json = False,
) -> None:
    """Write a contact sheet: images of each class with what is marked on them, copies side by side, suspect labels."""
    from datasets.contact import make_sheet
    from datasets.inspecting import inspect_folder
    from datasets.location import Location
    from datasets.sheetfile import most_pictures, refuse_unknown, write_sheet

    refuse_unknown(out)
    location = Location(folder, form, annotations, good, groups)
    dataset, found = inspect_folder(location, seed=seed, weights=weights, backbone=backbone, threads=threads)
    values = _scores(dataset, scores) if scores is not None else None
    with progress_bar("pictures") as advance:
        sheet = make_sheet(
            dataset, found, scores=values, per_class=per_class, most=most_pictures(out), progress=advance
        )
    written = write_sheet(out, sheet)
    pictures = sum(len(row) for section in sheet.sections for row in section.rows)
    if as_json:
        typer.echo(json.dumps({"out": str(out), "pictures": pictures, "bytes": written}, ensure_ascii=False))
    else:
        typer.echo(f"{out}: {pictures} pictures, {written / 1e6:.1f} MB")


def _fractions(text: str) -> tuple[float, float, float]:
    from datasets.errors import DatasetError

    try:
        first, second, third = (float(part) for part in text.split(","))
    except ValueError as error:
        raise DatasetError(
            f"--fractions {text}: shares of train, validation, test that add up to 1 are needed; such as 0.6,0.2,0.2"
        ) from error
    if min(first, second, third) < 0 or abs(first + second + third - 1) > 1e-6 or first == 0:
        raise DatasetError(
            f"--fractions {text}: shares that are not negative and add up to 1 are needed, that of train above 0; "
            "such as 0.6,0.2,0.2"
        )
    return first, second, third


def _column(dataset: Dataset, table: Path | None, column: str) -> dict[Path, str]:
    from datasets.columns import read_column
    from datasets.errors import DatasetError
    from datasets.groups import GROUPS_FILE

    file = table if table is not None else dataset.root / GROUPS_FILE
    if not file.is_file():
        raise DatasetError(
            f"{file}: no such file; a CSV file with the columns file,{column} is needed; name it with --table FILE"
        )
    return read_column(file, dataset.root, [(sample.path, sample.label) for sample in dataset.samples], column)


def _times(dataset: Dataset, table: Path | None, column: str | None) -> dict[Path, datetime]:
    """Return when each image was taken: by a named table, else by annotations, else by groups.csv."""
    from datasets.partition import parse_times

    if table is None and column is None and all(sample.taken for sample in dataset.samples):
        return parse_times({sample.path: sample.taken for sample in dataset.samples}, dataset.root)
    return parse_times(_column(dataset, table, column or "taken"), dataset.root)


def _scores(dataset: Dataset, file: Path) -> dict[Path, float]:
    from datasets.columns import describe_problems, read_column
    from datasets.errors import DatasetError

    images = [(sample.path, sample.label) for sample in dataset.samples]
    told = read_column(file, dataset.root, images, "score", complete=False)
    scores: dict[Path, float] = {}
    wrong: list[str] = []
    for path, text in told.items():
        try:
            scores[path] = float(text)
        except ValueError:
            scores[path] = -1.0
        if not 0.0 <= scores[path] <= 1.0:
            wrong.append(f"{path.relative_to(dataset.root).as_posix()}: '{text}'")
    if wrong:
        headline = f"{file}: {len(wrong)} score(s) are no defect probability; numbers of 0 to 1 are needed"
        raise DatasetError(describe_problems(headline, wrong))
    return scores


def _tell_split(out: Path, by: By, dataset: Dataset, found: Split, *, as_json: bool) -> None:
    from datasets.splits import NAMES

    counts: dict[str, dict[str, int]] = {}
    for name, samples in zip(NAMES, (found.train, found.validation, found.test), strict=True):
        number = Counter(sample.label for sample in samples)
        counts[name] = {label: number[label] for label in dataset.classes}
    lacking = [
        f"{name} has no image of {', '.join(missing)}"
        for name, numbers in counts.items()
        if sum(numbers.values()) and (missing := [label for label, number in numbers.items() if not number])
    ]
    groups = len({sample.group for sample in dataset.samples})
    if as_json:
        told = {"out": str(out), "by": by.value, "groups": groups, "counts": counts, "warnings": lacking}
        typer.echo(json.dumps(told, ensure_ascii=False))
        return
    typer.echo(f"{out}: {len(dataset.samples)} images of {groups} groups, by {by.value}")
    for name, numbers in counts.items():
        listed = ", ".join(f"{label} {number}" for label, number in numbers.items())
        typer.echo(f"  {name} {sum(numbers.values())}: {listed}")
    for text in lacking:
        typer.echo(f"warning: {text}")

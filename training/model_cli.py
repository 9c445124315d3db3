"""The commands `lineward model report` and `lineward model compare`, which need labelled photos beside the bundle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from datasets.location import Location
from datasets.options import Annotations, Form, Groups

DataOption = Annotated[Path, typer.Option(help="Folder of labelled photos with the classes of the bundle.")]
SplitOption = Annotated[str, typer.Option(help="all, or train, validation, test of the training images.")]
FindOption = Annotated[
    bool, typer.Option("--find-groups/--no-find-groups", help="Count photos of one piece as one where no file says so.")
]
ThreadsOption = Annotated[int, typer.Option(min=1, max=256, help="CPU threads.")]
BundleArgument = Annotated[str, typer.Argument(help="The bundle: a folder, a zip, or zoo:NAME.", metavar="BUNDLE")]


def report(
    bundle: BundleArgument,
    data: DataOption,
    out: Annotated[Path | None, typer.Option(help="The HTML file to write. Default NAME.report.html here.")] = None,
    split: SplitOption = "all",
    form: Form = None,
    annotations: Annotations = None,
    groups: Groups = None,
    find_groups: FindOption = True,
    threads: ThreadsOption = 2,
) -> None:
    """Write one HTML page on what a bundle does on labelled photos: limits, curves, worst images, origin."""
    from training.errors import EvaluationError
    from training.judging import judge_images
    from training.report.page import Tried, write_report

    if out is not None and out.suffix.lower() not in (".html", ".htm"):
        raise EvaluationError(f"--out {out}: is no page — a name that ends in .html is needed — choose one")
    judged = judge_images(
        bundle, Location(data, form, annotations, groups=groups), split=split, find_groups=find_groups, threads=threads
    )
    card = judged.bundle.card
    file = out or Path(f"{card.name}.report.html")
    tried = Tried(
        bundle=judged.bundle,
        session=judged.session,
        scored=judged.scored,
        names=judged.names,
        load=judged.pixels,
        data=judged.dataset.root.name,
        split=split,
        digest=judged.dataset.digest(),
        scoring_s=judged.seconds,
        metrics=judged.metrics(card.threshold.value),
    )
    write_report(tried, file)
    typer.echo(f"{file}: {len(judged.samples)} images of {judged.dataset.root}")


def compare(
    a: Annotated[str, typer.Argument(help="The bundle that is in use.", metavar="A")],
    b: Annotated[str, typer.Argument(help="The bundle that may be better.", metavar="B")],
    data: DataOption,
    split: SplitOption = "all",
    form: Form = None,
    annotations: Annotations = None,
    groups: Groups = None,
    find_groups: FindOption = True,
    threads: ThreadsOption = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Tell whether bundle B is really better than A on the same photos: paired tests, and where they differ."""
    from training.comparison import compare_bundles

    found = compare_bundles(
        a, b, Location(data, form, annotations, groups=groups), split=split, find_groups=find_groups, threads=threads
    )
    if as_json:
        typer.echo(json.dumps(found.as_json()))
        return
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    console.print(f"A = {found.a}\nB = {found.b}\n{found.images} images", markup=False)
    console.print(found.statement, markup=False)
    for image in found.differing:
        shares = f"A says {image.a_probability:.4g}, B says {image.b_probability:.4g}"
        console.print(f"{image.right} is right: {image.file} ({image.label}); {shares}", markup=False)

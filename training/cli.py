"""The commands `lineward train` and `lineward evaluate`; the training stack is imported only when one runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from datasets.location import Location
from datasets.options import Annotations, Form, Good, Groups

Data = Annotated[
    Path, typer.Option(help="Folder of labelled photos, in any format that `lineward dataset formats` lists.")
]
SplitFile = Annotated[
    Path | None,
    typer.Option(help="CSV with file,split, as `lineward dataset split` writes it, instead of a split by the seed."),
]


def train(
    data: Data,
    out: Annotated[Path, typer.Option(help="The bundle to write: a folder, or a zip when it ends in .zip.")],
    task: Annotated[
        str | None,
        typer.Option(help="classify, anomaly (good parts alone), segment or template; else as the labels allow."),
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="Of the task anomaly: memory (default) or gaussian, for aligned parts.")
    ] = None,
    form: Form = None,
    annotations: Annotations = None,
    backbone: Annotated[
        str,
        typer.Option(
            help="mobilenet_v2, mobilenet_v3_small, mobilenet_v3_large, resnet18, efficientnet_b0, or our compact."
        ),
    ] = "mobilenet_v2",
    weights: Annotated[
        str | None,
        typer.Option(help="State dict FILE to start from, or 'download' for torchvision's; else from scratch."),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the images; default 8 with weights, 30 without.")
    ] = None,
    size: Annotated[
        str,
        typer.Option(
            help="Input of the model in pixels: SIDE or WIDTHxHEIGHT, native, or auto (224, or what defects need)."
        ),
    ] = "auto",
    tile: Annotated[
        int | None,
        typer.Option(help="Cut the input into tiles of this side, or bring each place to it; else as the images need."),
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Images in a training step.")] = 16,
    lr: Annotated[
        float | None, typer.Option(help="Peak learning rate; default 1e-4 with weights, 1e-3 without.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the split and of everything random.")] = 0,
    good: Good = None,
    groups: Groups = None,
    split_file: SplitFile = None,
    escape_target: Annotated[
        float | None,
        typer.Option(help="Share of bad parts that may pass, at 95 % confidence. [0.005 unless another is given]"),
    ] = None,
    overkill_target: Annotated[
        float | None, typer.Option(help="Share of good parts that may be rejected, at 95 % confidence.")
    ] = None,
    escape_cost: Annotated[float | None, typer.Option(help="What a bad part that passes costs, in any unit.")] = None,
    overkill_cost: Annotated[float | None, typer.Option(help="What a good part that is rejected costs.")] = None,
    defect_share: Annotated[float, typer.Option(help="Share of bad parts on the line, for the costs.")] = 0.01,
    find_groups: Annotated[
        bool, typer.Option(help="Where no groups are stated, keep near duplicates together in the split.")
    ] = True,
    flips: Annotated[bool, typer.Option(help="Whether a mirrored part keeps its label.")] = True,
    moves: Annotated[
        bool, typer.Option(help="Whether a part that lies 3 % beside or 4° askew keeps its label.")
    ] = True,
    light: Annotated[
        bool, typer.Option(help="Whether a part lit 15 % brighter, darker or flatter keeps its label.")
    ] = True,
    name: Annotated[str | None, typer.Option(help="Name in the card; default from --out.")] = None,
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 2,
    restart: Annotated[bool, typer.Option("--restart", help="Forget an unfinished run instead of going on.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the bundle at --out.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Train a model from labelled photos and release it as a bundle; Ctrl-C keeps what was finished."""
    from training.settings import make_settings, size_values, usual_fitting

    usual = usual_fitting(weights)
    settings = make_settings(
        method=method,
        backbone=backbone,
        weights=weights,
        epochs=epochs if epochs is not None else usual["epochs"],
        tile=tile,
        **size_values(size),
        batch_size=batch_size,
        lr=lr if lr is not None else usual["lr"],
        seed=seed,
        find_groups=find_groups,
        flips=flips,
        moves=moves,
        light=light,
        threads=threads,
        escape_target=escape_target,
        overkill_target=overkill_target,
        escape_cost=escape_cost,
        overkill_cost=overkill_cost,
        defect_share=defect_share,
    )
    try:
        from training.command import run_training
        from training.table import print_release, release_json
    except ModuleNotFoundError as error:
        from training.errors import MissingExtraError

        raise MissingExtraError(
            f"'{error.name}' is not installed — training needs the training stack, which a panel PC does not — "
            "pip install 'lineward[train]'"
        ) from error
    released = run_training(
        Location(data, form, annotations, good, groups),
        settings,
        out,
        task=task,
        name=name,
        split_file=split_file,
        restart=restart,
        overwrite=overwrite,
    )
    if as_json:
        typer.echo(json.dumps(release_json(released.bundle, released.parity)))
    else:
        print_release(released.bundle, released.parity)


def evaluate(
    bundle: Annotated[str, typer.Argument(help="The bundle: a folder, a zip, or zoo:NAME.")],
    data: Data,
    split: Annotated[str, typer.Option(help="all, or train, validation, test of the training images.")] = "all",
    threshold: Annotated[float | None, typer.Option(help="Defect probability; default the card's.")] = None,
    form: Form = None,
    annotations: Annotations = None,
    groups: Groups = None,
    split_file: SplitFile = None,
    threads: Annotated[int, typer.Option(min=1, max=256, help="CPU threads.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Measure a bundle on labelled photos with ONNX Runtime alone: escape, overkill, and which files were misjudged."""
    from rich.console import Console

    from training.evaluation import evaluate_bundle
    from training.table import print_metrics

    result = evaluate_bundle(
        bundle,
        Location(data, form, annotations, groups=groups),
        split=split,
        split_file=split_file,
        threshold=threshold,
        threads=threads,
    )
    if as_json:
        typer.echo(json.dumps(result.as_json()))
        return
    console = Console(highlight=False, soft_wrap=True)
    print_metrics(console, result.metrics, result.classes)
    console.print(f"{result.images} images of {result.groups} groups, threshold {result.threshold:.4g}")
    for what, names in (("bad, passed", result.missed), ("good, rejected", result.false_alarms)):
        for file in names:
            console.print(f"{what}: {file}", markup=False)

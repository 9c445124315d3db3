"""The commands `lineward train` and `lineward evaluate`; the training stack is imported only when one runs."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
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
    ctx: typer.Context,
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
    start_from: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="BUNDLE",
            help="Retrain this bundle: its weights, settings and split are kept; --data holds its old photos.",
        ),
    ] = None,
    add: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="With --from: new photos; may be given several times.")
    ] = None,
    guard: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="With --from: photos on which the new bundle may be no worse, else nothing is written; several times.",
        ),
    ] = None,
    picture_limits: Annotated[
        bool, typer.Option(help="Learn limits of focus, exposure and position, which the station holds.")
    ] = True,
    novelty_limit: Annotated[
        bool, typer.Option(help="Learn how far a picture may be off those of the training; beyond it none passes.")
    ] = True,
    name: Annotated[str | None, typer.Option(help="Name in the card; default from --out.")] = None,
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 2,
    device: Annotated[str, typer.Option(help="auto (the GPU where torch can use one), cpu or cuda.")] = "auto",
    amp: Annotated[str, typer.Option(help="Mixed precision: auto (on a GPU alone), on or off.")] = "auto",
    sweep: Annotated[
        int | None, typer.Option(help="Try N settings, judge them by the validation images, release the best one.")
    ] = None,
    sweep_minutes: Annotated[float | None, typer.Option(help="Begin no further trial after so many minutes.")] = None,
    sweep_over: Annotated[
        str | None,
        typer.Option(help="Of lr, epochs, flips, moves, size, backbone, with commas. [lr,epochs,flips,moves]"),
    ] = None,
    checkpoint_seconds: Annotated[
        float, typer.Option(min=0, max=86400, help="Keep the state so often inside an epoch; 0: after every step.")
    ] = 60.0,
    tensorboard: Annotated[bool, typer.Option(help="Log the run into BUNDLE.run/tensorboard.")] = True,
    restart: Annotated[bool, typer.Option("--restart", help="Forget an unfinished run instead of going on.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the bundle at --out.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Train a model from labelled photos and release it as a bundle; Ctrl-C keeps what was finished."""
    from training.settings import make_settings, size_values, usual_fitting
    from training.space import make_plan

    usual = usual_fitting(weights)
    plan = make_plan(sweep, sweep_minutes, sweep_over)
    values = _values(
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
        device=device,
        amp=amp,
        escape_target=escape_target,
        overkill_target=overkill_target,
        escape_cost=escape_cost,
        overkill_cost=overkill_cost,
        defect_share=defect_share,
    )
    try:
        from training.command import run_training
        from training.released import settings_of
        from training.retraining import retraining_of
        from training.table import print_release, release_json
    except ModuleNotFoundError as error:
        from training.errors import MissingExtraError

        raise MissingExtraError(
            f"'{error.name}' is not installed — training needs the training stack, which a panel PC does not — "
            "pip install 'lineward[train]'"
        ) from error
    retraining = retraining_of(start_from, add, guard)
    if retraining is not None:
        values = settings_of(retraining.bundle.card) | {key: values[key] for key in _given(ctx, values)}
    released = run_training(
        Location(data, form, annotations, good, groups),
        make_settings(**values),
        out,
        task=task,
        name=name,
        split_file=split_file,
        restart=restart,
        overwrite=overwrite,
        command=typed_command(sys.argv),
        plan=plan,
        every_s=checkpoint_seconds,
        logs=tensorboard,
        retraining=retraining,
        picture_limits=picture_limits,
        novelty_limit=novelty_limit,
    )
    if as_json:
        typer.echo(json.dumps(release_json(released.bundle, released.parity)))
    else:
        print_release(released.bundle, released.parity)


def _values(**values: object) -> dict[str, object]:
    return values


def _given(ctx: typer.Context, values: dict[str, object]) -> list[str]:
    """Return which settings were written on the command line; those left out are the bundle's."""
    options = {name: "size" if name in ("height", "width") else name for name in values}
    sources = {name: ctx.get_parameter_source(option) for name, option in options.items()}
    return [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]


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


def typed_command(arguments: Sequence[str]) -> str:
    """Give a command line for the card as it was typed, the shell's expansion of ~ taken back.

    Whatever else names a place on this machine was typed by a person, who may have meant it to be known.
    """
    home = str(Path.home())
    words = (f"~{word[len(home) :]}" if word == home or word.startswith(home + "/") else word for word in arguments[1:])
    return " ".join(("lineward", *map(_quoted, words)))


def _quoted(word: str) -> str:
    return (
        "~" + (shlex.quote(word[1:]) if word[1:] else "") if word.startswith("~/") or word == "~" else shlex.quote(word)
    )

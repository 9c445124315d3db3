"""The commands `lineward train` and `lineward evaluate`; the training stack is imported only when one runs."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from datasets.location import Location
from datasets.options import Annotations, Form, Good, Groups
from training import options as option
from training.typed import typed_command


def train(
    ctx: typer.Context,
    data: option.Data,
    out: option.Out,
    task: option.Task = None,
    method: option.Method = None,
    form: Form = None,
    annotations: Annotations = None,
    backbone: option.Backbone = "mobilenet_v2",
    weights: option.Weights = None,
    epochs: option.Epochs = None,
    size: option.Size = "auto",
    tile: option.Tile = None,
    batch_size: option.BatchSize = 16,
    lr: option.LearningRate = None,
    seed: option.Seed = 0,
    good: Good = None,
    groups: Groups = None,
    split_file: option.SplitFile = None,
    escape_target: option.EscapeTarget = None,
    overkill_target: option.OverkillTarget = None,
    escape_cost: option.EscapeCost = None,
    overkill_cost: option.OverkillCost = None,
    defect_share: option.DefectShare = 0.01,
    find_groups: option.FindGroups = True,
    flips: option.Flips = True,
    moves: option.Moves = True,
    light: option.Light = True,
    start_from: option.StartFrom = None,
    add: option.Add = None,
    guard: option.GuardedSets = None,
    picture_limits: option.PictureLimits = True,
    novelty_limit: option.NoveltyLimit = True,
    name: option.Name = None,
    threads: option.Threads = 2,
    device: option.Device = "auto",
    amp: option.Amp = "auto",
    sweep: option.Sweep = None,
    sweep_minutes: option.SweepMinutes = None,
    sweep_over: option.SweepOver = None,
    checkpoint_seconds: option.CheckpointSeconds = 60.0,
    tensorboard: option.Tensorboard = True,
    restart: option.Restart = False,
    overwrite: option.Overwrite = False,
    as_json: option.Json = False,
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
        from training.job import Job
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
        Job(
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
    data: option.Data,
    split: Annotated[str, typer.Option(help="all, or train, validation, test of the training images.")] = "all",
    threshold: Annotated[float | None, typer.Option(help="Defect probability; default the card's.")] = None,
    form: Form = None,
    annotations: Annotations = None,
    groups: Groups = None,
    split_file: option.SplitFile = None,
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

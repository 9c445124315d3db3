"""The command `lineward model optimise`: which engine runs a bundle fastest, and with photos, which form of it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from datasets.location import Location
from datasets.options import Annotations, Form, Groups
from models.cli import BundleArgument, JsonOption
from models.cli import optimise as choose_engine

if TYPE_CHECKING:
    from models.bundle import Bundle
    from models.card import Rate
    from training.lighter import Backbone
    from training.optimising import Found, Tried


def optimise(
    bundle: BundleArgument,
    data: Annotated[
        Path | None, typer.Option(help="Folder of the bundle's own photos: other forms of it are tried, too.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where a faster form is written. Default: BUNDLE-FORM beside the bundle.")
    ] = None,
    escape_limit: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of the bad test images that may pass. Default: the card's target."),
    ] = None,
    overkill_limit: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of the good test images that may be rejected. Default: its target."),
    ] = None,
    size: Annotated[
        list[str] | None,
        typer.Option(help="Smaller input to try, SIDE or WIDTHxHEIGHT; several times. Default: three quarters."),
    ] = None,
    backbone: Annotated[
        list[str] | None,
        typer.Option(help="Network to train as the bundle was, and to try; NAME or NAME=WEIGHTS; several times."),
    ] = None,
    form: Form = None,
    annotations: Annotations = None,
    groups: Groups = None,
    split_file: Annotated[Path | None, typer.Option(help="The split file of the training, where it had one.")] = None,
    callers: Annotated[
        int, typer.Option(min=1, max=64, help="Inference threads, as [inference] workers; default as there.")
    ] = max(1, min(4, os.cpu_count() or 1)),
    rounds: Annotated[int, typer.Option(min=1, max=100, help="How often each is measured, in turn.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.01, max=60, help="With --data: how long each time.")] = 1.0,
    threads: Annotated[int, typer.Option(min=1, max=256, help="CPU threads for all but the measurement.")] = 2,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Measure only, write nothing.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the bundle at --out.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Keep the fastest engine and, with --data, the fastest form that lets no more escape and rejects no more."""
    if data is None:
        choose_engine(bundle, as_json=as_json, callers=callers, rounds=rounds, dry_run=dry_run)
        return
    from models.bundle import load_bundle
    from models.optimise import write_choice
    from models.references import resolve_bundle
    from training.lighter import recipes
    from training.optimising import find_fastest, write_best
    from training.photos import open_photos
    from training.settings import parse_size

    loaded = load_bundle(resolve_bundle(bundle))
    location = Location(data, form, annotations, groups=groups)
    with TemporaryDirectory(prefix="lineward-optimise-") as work:
        photos = open_photos(loaded, location, split_file, Path(work), threads)
        sizes = [parse_size(text) for text in size] if size is not None else _three_quarters(loaded)
        backbones = [_backbone(text, loaded, location, split_file, threads) for text in backbone or ()]
        found = find_fastest(
            loaded,
            photos,
            list(recipes(loaded, photos, sizes, backbones, Path(work))),
            escape_limit=escape_limit,
            overkill_limit=overkill_limit,
            callers=callers,
            rounds=rounds,
            seconds=seconds,
        )
        written = None
        if not dry_run and found.is_new:
            written = write_best(found, loaded, out or _beside(loaded, found.best.form), overwrite=overwrite)
    target = written or (None if found.is_new else loaded)
    kept = None
    if target is not None and not dry_run:
        kept = write_choice(target, replace(found.choice, bundle_digest=target.digest))
    _show(found, written, kept, as_json=as_json)


def _three_quarters(bundle: Bundle) -> list[tuple[int, int]]:
    """Return three quarters of the input in steps of 32, the stride of the backbones; none where that is too small."""
    size = bundle.card.input
    height, width = (round(0.75 * side / 32) * 32 for side in (size.height, size.width))
    return [(height, width)] if 32 <= height < size.height and 32 <= width < size.width else []


def _beside(bundle: Bundle, form: str) -> Path:
    path = bundle.path
    return path.with_name(f"{path.name.removesuffix('.zip')}-{form}{'.zip' if path.suffix == '.zip' else ''}")


def _backbone(text: str, bundle: Bundle, location: Location, split_file: Path | None, threads: int) -> Backbone:
    """Return a network to train with the settings of the bundle's card, on its photos and split."""
    from training.command import run_training
    from training.errors import EvaluationError
    from training.job import Job
    from training.lighter import Backbone
    from training.released import settings_of
    from training.settings import make_settings

    card = bundle.card
    name, _, weights = text.partition("=")
    settings = make_settings(**settings_of(card) | {"backbone": name, "weights": weights or None, "threads": threads})

    def train(folder: Path) -> Path:
        if card.data.split_sha256 is not None and split_file is None:
            raise EvaluationError("the bundle was not split by a seed: --split-file is needed to train beside it")
        run_training(
            Job(
                replace(location, good=card.good_class),
                settings,
                folder,
                task=card.task,
                name=f"{card.name[:40]}-{name}",
                split_file=split_file,
            )
        )
        return folder

    return Backbone(name, train)


def _show(found: Found, written: Bundle | None, kept: Path | None, *, as_json: bool) -> None:
    if as_json:
        print(
            json.dumps(
                {
                    "tried": [_plain(row) for row in found.tried],
                    "limits": asdict(found.limits),
                    "best": found.best.form,
                    "engine": found.choice.engine,
                    "bundle": None if written is None else str(written.path),
                    "kept": None if kept is None else str(kept),
                }
            )
        )
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("form", "input", "engine", "images/s", "one call, ms", "escape", "overkill", "", box=None)
    for row in found.tried:
        speed = (f"{row.images_per_s:.1f}", f"{row.call_ms:.2f}") if row.images_per_s else ("", "")
        shares = (_share(row.escape), _share(row.overkill))
        table.add_row(row.form, row.size, row.engine, *speed, *shares, Text(row.refused, style="red"))
    console = Console(highlight=False)
    console.print(table)
    console.print(
        f"limits on the test images: escape {found.limits.escape:.3%}, overkill {found.limits.overkill:.3%}",
        markup=False,
    )
    where = f"written to {written.path}" if written is not None else "nothing was written"
    best = f"fastest: {found.best.form} on {found.choice.engine}; {where}"
    console.print(best, style="bold", markup=False, soft_wrap=True)


def _share(rate: Rate | None) -> str:
    return "–" if rate is None else f"{rate.numerator} of {rate.denominator}"


def _plain(row: Tried) -> dict[str, object]:
    rates = {"escape": row.escape, "overkill": row.overkill}
    dumped = {name: None if rate is None else rate.model_dump(mode="json") for name, rate in rates.items()}
    return {
        name: getattr(row, name) for name in ("form", "engine", "size", "images_per_s", "call_ms", "refused")
    } | dumped

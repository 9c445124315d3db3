"""What `lineward train` does: read the photos, make the run folder, load, train, release."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from pathlib import Path

from datasets.location import Location
from training.errors import TrainingInterrupted
from training.gathering import open_retrained
from training.guard import open_guard
from training.images import Source, open_source
from training.network import Start, build_network, choose_start
from training.pictures import learn_pictures
from training.release import Conditions, Release
from training.released import refuse_other_task, start_from
from training.remembered import FILE as SPLIT_FILE
from training.remembered import contents, split_csv
from training.retraining import Retraining
from training.run import Target, train_model
from training.runfolder import RunFolder
from training.screen import Screen
from training.settings import TrainSettings
from training.tasks.table import find_task


def run_training(
    location: Location,
    settings: TrainSettings,
    out: Path,
    *,
    task: str | None = None,
    name: str | None = None,
    split_file: Path | None = None,
    restart: bool = False,
    overwrite: bool = False,
    retraining: Retraining | None = None,
    picture_limits: bool = True,
) -> Release:
    """Train on labelled photos and write the bundle; raise DatasetError, ModelError or TrainingError.

    task: what to learn, None: as the labels allow; `settings.task` is set to it. retraining: the bundle to start from,
    whose task and split are kept. picture_limits: whether the card holds limits of focus, exposure and position.
    """
    screen = Screen()
    target = Target(out, name or _name_from(out), overwrite)
    target.refuse_taken()
    folder = RunFolder(out)
    try:
        start, source, conditions = _open(location, settings, split_file, task, retraining)
        screen.say(f"{settings.backbone}, {start.told}")
        settings = settings.model_copy(update={"task": source.task})
        screen.say(f"task {source.task}: {source.why}")
        build_network(settings.backbone, len(source.classes), start)  # refuses weights that do not fit, early
        _tell_source(source, screen)
        folder.open(_identity(source, settings, start, target.name), restart=restart)
        with screen.bar("loading images", len(source.dataset.samples)) as advance:
            material = find_task(settings.task).load(source, settings, folder, advance)
    except KeyboardInterrupt:
        raise TrainingInterrupted(
            "interrupted before the first step — nothing was written — give the same command again"
        ) from None
    if picture_limits:
        learn = partial(learn_pictures, source, settings.threads)
        conditions = replace(conditions, learn_pictures=learn)
    return train_model(material, settings, start, target, folder, screen, conditions)


def _open(
    location: Location,
    settings: TrainSettings,
    split_file: Path | None,
    task: str | None,
    retraining: Retraining | None,
) -> tuple[Start, Source, Conditions]:
    """Read the photos and the weights to start from, and what the release has to stand."""
    if retraining is None:
        start = choose_start(settings.backbone, settings.weights)
        source = open_source(
            location, find_groups=settings.find_groups, seed=settings.seed, split_file=split_file, task=task
        )
        return start, source, Conditions(files={SPLIT_FILE: split_csv(source.split, contents(source.dataset))})
    before = retraining.bundle
    refuse_other_task(before.card, task)
    guard = open_guard(before, retraining.guard, find_groups=settings.find_groups, threads=settings.threads)
    source, content_of = open_retrained(
        before,
        location,
        retraining.add,
        find_groups=settings.find_groups,
        seed=settings.seed,
        split_file=split_file,
    )
    own = settings.weights is None and source.task == "classify"
    start = start_from(before, source.classes, settings) if own else choose_start(settings.backbone, settings.weights)
    return (
        start,
        source,
        Conditions(
            guard=guard if guard.sets else None,
            trained=frozenset(content_of[sample.path] for sample in source.split.train),
            files={SPLIT_FILE: split_csv(source.split, content_of)},
            made_from=before.digest,
        ),
    )


def _identity(source: Source, settings: TrainSettings, start: Start, name: str) -> dict[str, object]:
    """Give all that must be the same for an unfinished run to go on."""
    values = settings.model_dump(mode="json")
    told = {**values, "weights": start.told, "name": name, "images": source.digest, "good": source.dataset.good}
    return told if source.split_sha256 is None else {**told, "split": source.split_sha256}


def _tell_source(source: Source, screen: Screen) -> None:
    dataset = source.dataset
    kind = "grey" if source.channels == 1 else "colour"
    screen.say(
        f"{dataset.root.name}: {len(dataset.samples)} {kind} images of {source.group_count()} groups; "
        f"'{dataset.good}' passes"
    )
    for part, counts in source.counts().items():
        screen.say(f"  {part}: " + ", ".join(f"{label} {count}" for label, count in counts.items()))


def _name_from(out: Path) -> str:
    """Make a name that a card accepts from the bundle's file name."""
    stem = out.name.removesuffix(".zip")
    return re.sub(r"[^A-Za-z0-9._-]", "-", stem).lstrip("._-")[:64] or "model"

"""What `lineward train` does: read the photos, make the run folder, load, train, release."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from datasets.location import Location
from datasets.parts import has_places
from training.errors import SettingsError, TrainingInterrupted
from training.images import Source, open_source
from training.inputsize import plan_input
from training.network import Start, build_network, choose_start
from training.release import Release
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
) -> Release:
    """Train on labelled photos and write the bundle; raise DatasetError, ModelError or TrainingError.

    task: what to learn, None: as the labels allow; `settings.task` is set to it.
    """
    screen = Screen()
    target = Target(out, name or _name_from(out), overwrite)
    target.refuse_taken()
    folder = RunFolder(out)
    try:
        start = choose_start(settings.backbone, settings.weights)
        screen.say(f"{settings.backbone}, {start.told}")
        source = open_source(
            location,
            find_groups=settings.find_groups,
            seed=settings.seed,
            split_file=split_file,
            task=task,
        )
        settings = settings.model_copy(update={"task": source.task})
        screen.say(f"task {source.task}: {source.why}")
        _refuse_foreign_method(settings)
        plan = plan_input(source, settings)
        settings = settings.model_copy(update=plan.settings())
        build_network(settings.backbone, len(source.classes), start)  # refuses weights that do not fit, early
        _tell_source(source, screen)
        for line in plan.told:
            screen.say(line)
        folder.open(_identity(source, settings, start, target.name), restart=restart)
        with screen.bar("loading images", len(source.dataset.samples)) as advance:
            material = find_task(settings.task).load(source, settings, folder, advance)
        material = replace(material, smallest_defect_px=plan.smallest_defect_px)
    except KeyboardInterrupt:
        raise TrainingInterrupted(
            "interrupted before the first step — nothing was written — give the same command again"
        ) from None
    return train_model(material, settings, start, target, folder, screen)


def _refuse_foreign_method(settings: TrainSettings) -> None:
    if settings.method is not None and settings.task != "anomaly":
        raise SettingsError(
            f"--method {settings.method}: is a way to find anomalies and the task is {settings.task} — methods are for "
            "the task anomaly alone — leave it out, or add --task anomaly"
        )


def _identity(source: Source, settings: TrainSettings, start: Start, name: str) -> dict[str, object]:
    """Give all that must be the same for an unfinished run to go on."""
    values = settings.model_dump(mode="json")
    told = {**values, "weights": start.told, "name": name, "images": source.digest, "good": source.dataset.good}
    return told if source.split_sha256 is None else {**told, "split": source.split_sha256}


def _tell_source(source: Source, screen: Screen) -> None:
    dataset = source.dataset
    kind = "grey" if source.channels == 1 else "colour"
    images = len({sample.path for sample in dataset.samples})
    places = f" with {len(dataset.samples) // images} places each" if has_places(dataset.samples) else ""
    screen.say(
        f"{dataset.root.name}: {images} {kind} images{places} of {source.group_count()} groups; '{dataset.good}' passes"
    )
    for part, counts in source.counts().items():
        screen.say(f"  {part}: " + ", ".join(f"{label} {count}" for label, count in counts.items()))


def _name_from(out: Path) -> str:
    """Make a name that a card accepts from the bundle's file name."""
    stem = out.name.removesuffix(".zip")
    return re.sub(r"[^A-Za-z0-9._-]", "-", stem).lstrip("._-")[:64] or "model"

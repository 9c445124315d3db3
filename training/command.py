"""What `lineward train` does: read the photos, make the run folder, load, train, release."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from datasets.location import Location
from datasets.parts import has_places
from training.errors import SettingsError, TrainingInterrupted
from training.gathering import open_retrained
from training.guard import open_guard
from training.hardware import DEVICE_TASKS, choose_device
from training.images import Source, open_source
from training.inputsize import plan_input
from training.material import Material, mark_test
from training.network import Start, build_network, choose_start
from training.pictures import learn_pictures
from training.release import Conditions, Release
from training.released import refuse_other_task, start_from
from training.remembered import FILE as SPLIT_FILE
from training.remembered import contents, split_csv
from training.retraining import Retraining
from training.run import Target, train_model
from training.runfolder import CHECKPOINT_S, RunFolder
from training.screen import Screen
from training.settings import TrainSettings
from training.space import SweepPlan, refuse_unswept
from training.tasks.table import find_task
from training.tasks.task import Watched
from training.team import Team, join_team, leave_team

_SHARED = ("classify",)  # the tasks that several processes can fit together


@dataclass(frozen=True, slots=True)
class Job:
    """What one command asks for: a plain value. The fields are those of `run_training`."""

    location: Location
    settings: TrainSettings
    target: Target
    task: str | None
    split_file: Path | None
    plan: SweepPlan | None
    retraining: Retraining | None
    picture_limits: bool
    novelty_limit: bool
    command: str | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a run needs before the first step: a plain value."""

    source: Source
    settings: TrainSettings
    start: Start
    material: Material
    conditions: Conditions


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
    command: str | None = None,
    plan: SweepPlan | None = None,
    every_s: float = CHECKPOINT_S,
    logs: bool = False,
    retraining: Retraining | None = None,
    picture_limits: bool = True,
    novelty_limit: bool = True,
) -> Release:
    """Train on labelled photos and write the bundle; raise DatasetError, ModelError or TrainingError.

    task: what to learn, None: as the labels allow; `settings.task` is set to it. command: goes into the card as it is.
    plan: of a sweep, None for one run. every_s: seconds between two kept states inside an epoch. logs: for TensorBoard.
    retraining: the bundle to start from, whose task and split are kept. picture_limits: whether the card holds limits
    of focus, exposure and position, novelty_limit: one of how far a picture may be off those of the training. In a
    process that torchrun started and that only computes, this ends with SystemExit.
    """
    team = join_team(choose_device(settings.device))
    target = Target(out, name or _name_from(out), overwrite)
    job = Job(location, settings, target, task, split_file, plan, retraining, picture_limits, novelty_limit, command)
    _refuse_unshared(team, settings, plan)
    screen = Screen(silent=not team.leads)
    folder = RunFolder(out, every_s=every_s, say=screen.say, writes=team.leads, logs=logs)
    try:
        ready = team.after_the_first(lambda: _prepare(job, folder, screen, team, restart=restart))
        released = _go(ready, job, folder, screen)
    except KeyboardInterrupt:
        raise TrainingInterrupted(
            f"interrupted — what was finished is kept in {folder.path} — give the same command again to go on"
        ) from None
    finally:
        leave_team()
    return released


def _refuse_foreign(settings: TrainSettings) -> None:
    """Raise SettingsError for an option that means nothing to the task."""
    if settings.weights is not None and settings.task == "template":
        raise SettingsError(
            "--weights: the task template compares photos with golden images by a small network of its own, which "
            "starts from scratch — there is nothing to give it — leave --weights out"
        )
    if settings.method is not None and settings.task != "anomaly":
        raise SettingsError(
            f"--method {settings.method}: is a way to find anomalies and the task is {settings.task} — methods are for "
            "the task anomaly alone — leave it out, or add --task anomaly"
        )


def _prepare(job: Job, folder: RunFolder, screen: Screen, team: Team, *, restart: bool) -> Prepared:
    if team.leads:
        job.target.refuse_taken()
    start, source, conditions = _open(job)
    settings = job.settings.model_copy(update={"task": source.task})
    screen.say(f"{settings.backbone}, {start.told}")
    screen.say(f"task {source.task}: {source.why}")
    if team.size > 1 and source.task not in _SHARED:
        raise SettingsError(
            f"--task {source.task}: is fitted by one process, not by {team.size} — several can share "
            f"{', '.join(_SHARED)} — start it without torchrun"
        )
    _refuse_foreign(settings)
    if source.task not in DEVICE_TASKS and (settings.device == "cuda" or settings.amp == "on"):
        raise SettingsError(
            f"--device {settings.device}, --amp {settings.amp}: the task {source.task} learns on the CPU in full "
            f"precision — others are for {', '.join(DEVICE_TASKS)} — leave them out"
        )
    plan = plan_input(source, settings)
    settings = settings.model_copy(update=plan.settings())
    build_network(settings.backbone, len(source.classes), start)  # refuses weights that do not fit, early
    _tell_source(source, screen)
    for line in plan.told:
        screen.say(line)
    if team.leads:
        folder.open(_identity(source, settings, start, job.target.name, job.plan), restart=restart)
    with screen.bar("loading images", len(source.dataset.samples)) as advance:
        material = find_task(settings.task).load(source, settings, folder, advance)
    source.refuse_changed()
    material = replace(material, smallest_defect_px=plan.smallest_defect_px)
    if team.leads and (source.task != "classify" or material.boxes is not None):
        material = mark_test(material, source, folder, settings.threads)
    conditions = replace(conditions, command=job.command, novelty=job.novelty_limit)
    if job.picture_limits and team.leads:
        screen.say("limits of focus, exposure and position …")
        whole = material.boxes is not None and has_places(source.dataset.samples)
        conditions = replace(conditions, pictures=learn_pictures(source, settings.threads, whole))
    return Prepared(source, settings, start, material, conditions)


def _open(job: Job) -> tuple[Start, Source, Conditions]:
    """Read the photos and the weights to start from, and what the release has to stand."""
    settings = job.settings
    if job.retraining is None:
        start = choose_start(settings.backbone, settings.weights)
        source = open_source(
            job.location,
            find_groups=settings.find_groups,
            seed=settings.seed,
            split_file=job.split_file,
            task=job.task,
        )
        return start, source, Conditions(files={SPLIT_FILE: split_csv(source.split, contents(source.dataset))})
    before = job.retraining.bundle
    refuse_other_task(before.card, job.task)
    guard = open_guard(before, job.retraining.guard, find_groups=settings.find_groups, threads=settings.threads)
    source, content_of = open_retrained(
        before,
        job.location,
        job.retraining.add,
        find_groups=settings.find_groups,
        seed=settings.seed,
        split_file=job.split_file,
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


def _go(ready: Prepared, job: Job, folder: RunFolder, screen: Screen) -> Release:
    """Fit and release what was prepared; with a plan, what its best trial came to."""
    material, settings, start = ready.material, ready.settings, ready.start
    if job.plan is not None:
        from training.sweep import sweep

        task = find_task(settings.task)
        if not isinstance(task, Watched):
            raise SettingsError(
                f"--sweep: the task {settings.task} does not tell of its epochs, so that trials cannot be compared — "
                "classify does — leave --sweep out"
            )
        chosen = sweep(job.plan, task, ready.source, settings, start, material, folder, screen)
        material, settings, start = chosen.material, chosen.settings, chosen.start
    return train_model(material, settings, start, job.target, folder, screen, ready.conditions)


def _refuse_unshared(team: Team, settings: TrainSettings, plan: SweepPlan | None) -> None:
    """Raise SettingsError for what several processes cannot do together, or a sweep not with these settings."""
    if plan is not None:
        refuse_unswept(settings, plan.over)
    if team.size > 1 and plan is not None:
        raise SettingsError(
            f"--sweep: is done by one process, not by {team.size} — start it without torchrun, then train with the "
            "best values"
        )
    if settings.batch_size % team.size:
        raise SettingsError(
            f"--batch-size {settings.batch_size}: is shared out evenly among {team.size} processes — allowed are its "
            f"multiples — for instance {team.size * (settings.batch_size // team.size + 1)}"
        )


def _identity(
    source: Source, settings: TrainSettings, start: Start, name: str, plan: SweepPlan | None
) -> dict[str, object]:
    """Give all that must be the same for an unfinished run to go on."""
    values = settings.model_dump(mode="json")
    told = {**values, "weights": start.told, "name": name, "images": source.digest, "good": source.dataset.good}
    if source.split_sha256 is not None:
        told["split"] = source.split_sha256
    return told if plan is None else {**told, "sweep": list(plan.over)}


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
    for label, parts in source.unproved().items():
        screen.say(
            f"  '{label}' ({dataset.counts()[label]} image(s)) has none for {' and '.join(parts)}: how well it is told "
            "is not proved — photos of three pieces are the least"
        )


def _name_from(out: Path) -> str:
    """Make a name that a card accepts from the bundle's file name."""
    stem = out.name.removesuffix(".zip")
    return re.sub(r"[^A-Za-z0-9._-]", "-", stem).lstrip("._-")[:64] or "model"

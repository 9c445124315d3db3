"""Reads what a training begins with: the photos, the weights to start from, and what the release has to stand."""

from __future__ import annotations

from dataclasses import dataclass

from training.conditions import Conditions
from training.gathering import open_retrained
from training.guard import open_guard
from training.images import Source, open_source
from training.job import Job
from training.network import Start, choose_start
from training.released import refuse_other_task, start_from
from training.remembered import FILE as SPLIT_FILE
from training.remembered import contents, split_csv
from training.retraining import Retraining


@dataclass(frozen=True, slots=True)
class Opened:
    """What a training begins with, no image loaded yet: a plain value."""

    source: Source
    start: Start
    conditions: Conditions


def open_job(job: Job) -> Opened:
    """Read photos and weights, of a retraining those of the bundle in use. Raises DatasetError and TrainingError."""
    return _open_new(job) if job.retraining is None else _open_again(job, job.retraining)


def _open_new(job: Job) -> Opened:
    settings = job.settings
    start = choose_start(settings.backbone, settings.weights)
    source = open_source(
        job.location, find_groups=settings.find_groups, seed=settings.seed, split_file=job.split_file, task=job.task
    )
    files = {SPLIT_FILE: split_csv(source.split, contents(source.dataset))}
    return Opened(source, start, Conditions(files=files, command=job.command))


def _open_again(job: Job, retraining: Retraining) -> Opened:
    before, settings = retraining.bundle, job.settings
    refuse_other_task(before.card, job.task)
    guard = open_guard(before, retraining.guard, find_groups=settings.find_groups, threads=settings.threads)
    source, content_of = open_retrained(
        before,
        job.location,
        retraining.add,
        find_groups=settings.find_groups,
        seed=settings.seed,
        split_file=job.split_file,
    )
    own = settings.weights is None and source.task == "classify"
    start = start_from(before, source.classes, settings) if own else choose_start(settings.backbone, settings.weights)
    conditions = Conditions(
        guard=guard if guard.sets else None,
        trained=frozenset(content_of[sample.path] for sample in source.split.train),
        files={SPLIT_FILE: split_csv(source.split, content_of)},
        made_from=before.digest,
        command=job.command,
    )
    return Opened(source, start, conditions)

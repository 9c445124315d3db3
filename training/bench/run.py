"""The whole benchmark: every set fold by fold, each in a process of its own, then throughput and inference."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets.errors import DatasetError
from datasets.groups import write_groups
from datasets.location import Location
from datasets.parts import has_places
from datasets.sample import Dataset
from datasets.splitfile import write_split
from datasets.splits import Split
from training.bench.boxes import box_figures, read_boxes
from training.bench.few import copy_few, few_pieces
from training.bench.fold import BUNDLE, RESULT, FoldResult, Plan
from training.bench.folds import cut_folds, stated_split
from training.bench.inference import measure_inference
from training.bench.pool import Figures, at_thresholds, figures, fold_row, pooled, read_scored
from training.bench.sets import BenchSet
from training.bench.throughput import measure_throughput
from training.errors import SettingsError, TrainingError
from training.images import open_grouped
from training.network import choose_start
from training.settings import TrainSettings, usual_fitting
from training.tasks.table import find_task

_QUICK_GROUPS = 8
_PLAN, _GROUPS, _IDENTITY = "plan.json", "groups.csv", "bench.json"


class FoldError(TrainingError):
    """The process of a fold ended without a result."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What is measured and how: a plain value. out: keeps finished folds, so that an interrupted run goes on.

    folds: how many each set without a split of its own is cut into. first: how many of these are run.
    """

    data: Path
    out: Path
    settings: TrainSettings
    folds: int = 5
    first: int | None = None
    quick: bool = False

    def measure_set(self, one: BenchSet, say: Callable[[str], None]) -> Figures:
        """Return the object of one set; where it could not be measured, why."""
        head: Figures = {
            "set": one.name,
            "task": one.task,
            "published": dict(one.published),
            "target": dict(one.target),
            "mind": one.mind,
        }
        place = self.out / one.name
        place.mkdir(parents=True, exist_ok=True)
        if why := self._why_not(one, place):
            say(f"{one.name}: NOT RUN: {why}")
            return {**head, "state": "not run", "why": why}
        try:
            plans = self._plans(one, place, say)
            results = [_run(plan, f"{one.name}, fold {plan.place.name[5:]} of {len(plans)}", say) for plan in plans]
        except (DatasetError, TrainingError) as error:
            say(f"{one.name}: FAILED: {error}")
            return {**head, "state": "failed", "why": str(error)}
        return {**head, **self._told(one, plans, results)}

    def _why_not(self, one: BenchSet, place: Path) -> str:
        folder = one.find(self.data, place).folder
        if not folder.is_dir():
            return f"{folder}: no such folder"
        try:
            find_task(one.task)
        except ModuleNotFoundError as error:
            if error.name != f"training.tasks.{one.task}":
                raise
            return f"the task '{one.task}' is not installed"
        return ""

    def _plans(self, one: BenchSet, place: Path, say: Callable[[str], None]) -> list[Plan]:
        """Group, cut and write down the folds; what an earlier run wrote must be the same."""
        say(f"{one.name}: reading and grouping …")
        location = self._few(one, place) if self.quick else one.find(self.data, place)
        dataset = open_grouped(location, find_groups=True)
        groups = place / _GROUPS
        write_groups(groups, dataset.root, {sample.path: sample.group for sample in dataset.samples})
        splits = self._splits(one, dataset)
        _refuse_other(place / _IDENTITY, self._identity(dataset))
        say(
            f"{one.name}: {len(dataset.samples)} images of {len({s.group for s in dataset.samples})} pieces, "
            f"{'its own split' if one.stated else f'{len(splits)} of {self.folds} folds'}"
        )
        settings = self._settings_of(one)
        if self.quick and has_places(dataset.samples):
            settings = settings.model_copy(update={"tile": settings.height})
        plans = []
        for number, split in enumerate(splits, start=1):
            folder = place / f"fold-{number}"
            folder.mkdir(exist_ok=True)
            file = folder / "split.csv"
            if not file.exists():
                write_split(file, dataset, split)
            plan = Plan(
                place=folder,
                task=one.task,
                settings=settings,
                split=file,
                folder=location.folder,
                form=location.form,
                annotations=location.annotations,
                good=location.good,
                groups=groups,
            )
            (folder / _PLAN).write_text(plan.model_dump_json(indent=2) + "\n", encoding="utf-8")
            plans.append(plan)
        return plans

    def _settings_of(self, one: BenchSet) -> TrainSettings:
        """Return the settings of a set: 'template' starts from scratch, as long as others do without weights."""
        if one.task != "template" or self.settings.weights is None:
            return self.settings
        usual, scratch = usual_fitting(self.settings.weights), usual_fitting(None)
        kept = {key: getattr(self.settings, key) for key in usual if getattr(self.settings, key) != usual[key]}
        return self.settings.model_copy(update={"weights": None} | scratch | kept)

    def _few(self, one: BenchSet, place: Path) -> Location:
        """Copy a few pieces of a set and return where they lie."""
        location = one.find(self.data, place)
        whole = location.read()
        few = place / "few"
        copy_few(whole, few_pieces(whole, _QUICK_GROUPS), few / location.folder.relative_to(self.data))
        return one.find(few, place)

    def _splits(self, one: BenchSet, dataset: Dataset) -> Sequence[Split]:
        if one.stated:
            return [stated_split(dataset, one.task)]
        return cut_folds(dataset, self.folds, one.task)[: self.first]

    def _identity(self, dataset: Dataset) -> Figures:
        values = self.settings.model_dump(mode="json")
        return {"settings": values, "folds": self.folds, "quick": self.quick, "images": dataset.digest()}

    def _told(self, one: BenchSet, plans: Sequence[Plan], results: Sequence[FoldResult]) -> Figures:
        parts = [read_scored(plan.place) for plan in plans]
        found = figures(pooled(parts), results[0].classes, has_good=one.has_good)
        if boxes := [seen for plan in plans if (seen := read_boxes(plan.place)) is not None]:
            found |= box_figures(boxes, results[0].classes)
        rows = [fold_row(part, result, has_good=one.has_good) for part, result in zip(parts, results, strict=True)]
        times = [result.train_s for result in results if result.train_s is not None]
        memory = [result.peak_own_mb for result in results if result.peak_own_mb is not None]
        return {
            "state": "measured",
            **found,
            **(at_thresholds(parts, results) if one.has_good else {}),
            "reached": {
                name: None if self.quick else _reaches(found.get(name), limit) for name, limit in one.target.items()
            },
            "folds": rows,
            "cut_into": 1 if one.stated else self.folds,
            "train_s_per_fold": round(sum(times) / len(times), 1) if times else None,
            "peak_own_mb": round(max(memory)) if memory else None,
            "classes": list(results[0].classes),
            "network": results[0].network,
            "settings": self._settings_of(one).model_dump(mode="json"),
        }

    def throughput(self, say: Callable[[str], None], *, rounds: int) -> Figures:
        """Return the loop's speed beside a bare one's."""
        start = choose_start(self.settings.backbone, self.settings.weights)
        return measure_throughput(self.settings, start, rounds=rounds, say=say)

    def inference(self, sets: Sequence[BenchSet], *, repeats: int) -> Figures:
        """Return the cost of the anomaly model of the first set that has one, beside its backbone's."""
        for one in sets:
            bundle = self.out / one.name / "fold-1" / BUNDLE
            if one.task == "anomaly" and bundle.exists():
                return {**measure_inference(bundle, repeats=repeats), "bundle_of": one.name}
        return {"state": "not run", "why": "no anomaly model was made by this run"}


def _run(plan: Plan, label: str, say: Callable[[str], None]) -> FoldResult:
    """Return a fold's result, from an earlier run where it was finished; raise FoldError where it failed."""
    kept = plan.place / RESULT
    if kept.exists():
        say(f"{label}: finished before")
        return FoldResult.model_validate_json(kept.read_text(encoding="utf-8"))
    say(f"{label}: training …")
    with (plan.place / "log.txt").open("w", encoding="utf-8") as log:
        command = [sys.executable, "-m", "training.bench.fold", str(plan.place / _PLAN)]
        done = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False)
    if done.returncode == 0 and kept.exists():
        return FoldResult.model_validate_json(kept.read_text(encoding="utf-8"))
    lines = [line for line in (plan.place / "log.txt").read_text(encoding="utf-8").splitlines() if line.strip()]
    raise FoldError(
        f"{label} ended with {done.returncode}: {lines[-1].strip() if lines else 'it said nothing'} — "
        f"{plan.place}/log.txt has all of it — mend that and give the same command again"
    )


def _refuse_other(file: Path, identity: Figures) -> None:
    """Write down what these folds are of; raise SettingsError where the folder keeps folds of something else."""
    now = json.loads(json.dumps(identity))
    if file.exists():
        before = json.loads(file.read_text(encoding="utf-8"))
        changed = sorted(key for key in {*before, *now} if before.get(key) != now.get(key))
        if changed:
            raise SettingsError(
                f"{file.parent}: keeps folds of another run ({', '.join(changed)} differ) — folds are pooled only when "
                "they are alike — choose another --out, or remove that folder"
            )
    file.write_text(json.dumps(now, indent=2) + "\n", encoding="utf-8")


def _reaches(figure: object, limit: float) -> bool | None:
    return bool(figure["value"] >= limit) if isinstance(figure, dict) else None

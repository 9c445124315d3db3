"""Looks for better settings: trials that learn and validate, of which the best one is released."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import time
from dataclasses import dataclass

import optuna
from optuna.exceptions import StorageInternalError, TrialPruned
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from models.publish import publish_file
from training.draws import seed_of
from training.errors import DivergedError, RunFolderFullError, TrainingError
from training.fitting import Epoch
from training.images import Source
from training.material import Material
from training.network import Start, choose_start
from training.runfolder import RunFolder
from training.screen import Screen
from training.settings import TrainSettings
from training.space import SweepPlan, Value, first_of, propose, with_values
from training.tasks.task import Task
from training.trials import trial_rows, trial_table

_UNPRUNED = 3  # trials that run to the end before others are measured by them
_RANDOM = 8  # trials that are drawn at random before the sampler learns from them
_STAGES = 4  # a trial is compared with the others at each quarter of its own epochs
_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The settings of the best trial, what it started from, and its images: a plain value."""

    settings: TrainSettings
    start: Start
    material: Material


def sweep(
    plan: SweepPlan,
    task: Task,
    source: Source,
    settings: TrainSettings,
    start: Start,
    material: Material,
    folder: RunFolder,
    screen: Screen,
) -> Chosen:
    """Run the trials that are still due and leave the state of the best one in the folder, ready to be released.

    The least loss on the validation images after the last epoch wins; the test images are not looked at. A trial that
    is worse than the median of the others at the same share of its epochs ends there. Trials and their values depend on
    the seed and on those before them alone, so that a sweep that was killed goes on as it would have. Raises
    TrainingError.
    """
    try:
        return _Sweep(plan, task, source, settings, start, material, folder, screen).run()
    except (StorageInternalError, SQLAlchemyError) as error:
        raise RunFolderFullError(
            f"{folder.study}: the trials cannot be written ({str(error.__cause__ or error).splitlines()[0]}) — those "
            "that were finished are kept — free some space and give the same command again"
        ) from error


class _Sweep:
    """The state of one sweep: the study on disk, and the images at each size that was tried so far."""

    def __init__(
        self,
        plan: SweepPlan,
        task: Task,
        source: Source,
        settings: TrainSettings,
        start: Start,
        material: Material,
        folder: RunFolder,
        screen: Screen,
    ) -> None:
        self._plan, self._task, self._source = plan, task, source
        self._settings, self._folder, self._screen = settings, folder, screen
        self._starts = {settings.backbone: start}
        self._materials = {(settings.width, settings.height): material}
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._study = optuna.create_study(
            study_name="sweep", storage=f"sqlite:///{folder.study}", load_if_exists=True, direction="minimize",
            pruner=MedianPruner(n_startup_trials=_UNPRUNED, n_warmup_steps=0),
        )  # fmt: skip
        self._spent_before_s = float(self._study.user_attrs.get("spent_s", 0.0))
        self._begun_ns = time.monotonic_ns()

    def run(self) -> Chosen:
        """Try until there are enough trials or no time is left."""
        for lost in self._study.get_trials(states=(TrialState.RUNNING,)):
            # A kill ended it. The next one has the same values and goes on from the state that it kept.
            self._study.tell(lost.number, state=TrialState.FAIL)
        while len(self._finished()) < self._plan.trials and not (self._time_is_up() and self._completed()):
            self._try()
        if not self._completed():
            raise TrainingError(
                f"none of {len(self._finished())} trials came to an end with a loss that is a number — at least one "
                "must — try a lower --lr"
            )
        best = self._study.best_trial
        self._screen.show(trial_table(self._finished(), best.number))
        tried = with_values(self._settings, best.params)
        state = self._folder_of(best.params).load()
        if state is not None:
            self._folder.save(state)
        return Chosen(tried, self._start(tried), self._material(tried))

    def _try(self) -> None:
        number = len(self._finished())
        self._study.sampler = TPESampler(seed=seed_of(self._settings.seed, number), n_startup_trials=_RANDOM)
        if number == 0 and not self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            self._study.enqueue_trial(first_of(self._settings, self._plan.over))
        trial = self._study.ask()
        tried = with_values(self._settings, propose(trial, self._settings, self._plan.over))
        told = f"trial {number + 1} of {self._plan.trials}: {_words(trial.params)}"
        self._screen.say(told)
        try:
            loss = self._fit(trial, tried)
        except (TrialPruned, DivergedError) as reason:
            self._study.tell(trial, state=TrialState.PRUNED)
            self._screen.say(f"  ended early: {reason}")
        else:
            self._study.tell(trial, loss)
            self._screen.say(f"  validation loss {loss:.4f}; the best so far is {self._study.best_value:.4f}")
        self._study.set_user_attr("spent_s", self._spent_s())
        rows = json.dumps(trial_rows(self._finished()), indent=2) + "\n"
        publish_file(self._folder.path / "sweep.json", rows.encode())
        self._clear()

    def _fit(self, trial: Trial, tried: TrainSettings) -> float:
        """Fit with the values of a trial; give its loss, or raise TrialPruned."""
        losses = [math.nan]

        def watch(epoch: Epoch) -> None:
            losses.append(epoch.validation_loss)
            if not math.isfinite(epoch.validation_loss):
                raise TrialPruned("its loss is no number")
            stage = _STAGES * epoch.number // tried.epochs
            if epoch.number == tried.epochs or stage == _STAGES * (epoch.number - 1) // tried.epochs:
                return
            trial.report(epoch.validation_loss, stage)
            if trial.should_prune():
                raise TrialPruned(f"its validation loss {epoch.validation_loss:.4f} is above the median of the others")
            if self._time_is_up() and self._completed():
                raise TrialPruned("no time is left")

        inner = self._folder_of(trial.params)
        inner.path.mkdir(parents=True, exist_ok=True)
        self._task.fit(self._material(tried), tried, self._start(tried), inner, self._screen.without_lines(), watch)
        return losses[-1]

    def _start(self, tried: TrainSettings) -> Start:
        if tried.backbone not in self._starts:
            self._starts[tried.backbone] = choose_start(tried.backbone, tried.weights)
        return self._starts[tried.backbone]

    def _material(self, tried: TrainSettings) -> Material:
        """Give the images at the size of a trial."""
        size = (tried.width, tried.height)
        if size not in self._materials:
            place = self._folder.inner(f"{size[0]}x{size[1]}")
            place.path.mkdir(parents=True, exist_ok=True)
            with self._screen.bar(f"loading images, {size[0]}×{size[1]}", len(self._source.dataset.samples)) as advance:
                self._materials[size] = self._task.load(self._source, tried, place, advance)
        return self._materials[size]

    def _clear(self) -> None:
        """Remove the states of all trials but the best: only that one is released."""
        best = self._folder_of(self._study.best_trial.params).path if self._completed() else None
        for trial in self._finished():
            place = self._folder_of(trial.params).path
            if place != best:
                shutil.rmtree(place, ignore_errors=True)

    def _folder_of(self, values: dict[str, Value]) -> RunFolder:
        text = json.dumps(values, sort_keys=True)
        return self._folder.inner(hashlib.sha256(text.encode()).hexdigest()[:16])

    def _finished(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=_FINISHED)

    def _completed(self) -> bool:
        return bool(self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))

    def _spent_s(self) -> float:
        return self._spent_before_s + (time.monotonic_ns() - self._begun_ns) / 1e9

    def _time_is_up(self) -> bool:
        return self._plan.minutes is not None and self._spent_s() >= 60.0 * self._plan.minutes


def _words(values: dict[str, Value]) -> str:
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in values.items()
    )

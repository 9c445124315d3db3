"""One training run from top to bottom: fit as the task does, release, charts, report."""

from __future__ import annotations

import json
import time
from dataclasses import replace

from training.charts import draw_confusion, draw_curves
from training.conditions import Conditions
from training.errors import TrainingInterrupted
from training.material import Material
from training.network import Start
from training.release import Release, release
from training.report.of_run import report_run
from training.runfolder import RunFolder
from training.runlog import RunLog
from training.screen import Screen
from training.settings import TrainSettings
from training.target import Target
from training.tasks.table import find_task
from training.tasks.task import History
from training.team import present_team

# The engines are compared in all batch sizes for no longer than this, and than this share of what the training took.
_LEAST_PARITY_S, _PARITY_SHARE = 15.0, 0.25


def train_model(
    material: Material,
    settings: TrainSettings,
    start: Start,
    target: Target,
    folder: RunFolder,
    screen: Screen,
    conditions: Conditions | None = None,
) -> Release:
    """Fit (or go on fitting) and release a model; raise TrainingInterrupted after Ctrl-C, with what was kept.

    Of several processes the leading one releases; the others end here when the fitting is done.
    """
    try:
        return _train(material, settings, start, target, folder, screen, conditions or Conditions())
    except KeyboardInterrupt:
        raise TrainingInterrupted(
            f"interrupted — what was finished is kept in {folder.path} — give the same command again to go on, or "
            "add --restart to begin anew"
        ) from None


def _train(
    material: Material,
    settings: TrainSettings,
    start: Start,
    target: Target,
    folder: RunFolder,
    screen: Screen,
    conditions: Conditions,
) -> Release:
    begun_ns = time.monotonic_ns()
    team = present_team()
    try:
        fitted = find_task(settings.task).fit(material, settings, start, folder, screen)
    except RuntimeError as error:  # what torch raises where another process is gone
        if team.size == 1:
            raise
        raise team.lost(error) from error
    if not team.leads:
        raise SystemExit(0)
    screen.say("threshold, export, parity of torch and every engine on the test images, figures …")
    trained_s = (time.monotonic_ns() - begun_ns) / 1e9
    released = release(
        fitted,
        material,
        settings,
        target,
        start.told,
        folder,
        replace(conditions, parity_s=max(_LEAST_PARITY_S, _PARITY_SHARE * trained_s), say=screen.say),
    )
    _draw(fitted.history, released, folder)
    spent_s = (time.monotonic_ns() - begun_ns) / 1e9
    tried = report_run(released, material.test, folder, material.name, fitted.history, spent_s)
    with RunLog(folder, len(fitted.history)) as log:
        log.release(tried, len(fitted.history), folder)
    screen.say(f"report: {folder.report}")
    folder.forget()
    return released


def _draw(history: History, released: Release, folder: RunFolder) -> None:
    card = released.bundle.card
    draw_confusion(card.metrics.confusion or (), card.classes, folder.path / "confusion.png")
    if history:
        draw_curves(history, folder.path / "curves.png")
        rows = [dict(row) for row in history]
        (folder.path / "history.json").write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")

"""One training run from top to bottom: start, head, epochs with a checkpoint each, release, charts."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from models.bundle import read_card
from models.errors import ModelError
from training.charts import draw_confusion, draw_curves
from training.deployed import Deployed
from training.errors import SettingsError, TrainingInterrupted
from training.fitting import Fitting, steps_per_epoch
from training.material import Material
from training.network import Start, build_network
from training.release import Release, release
from training.report.of_run import report_run
from training.runfolder import RunFolder
from training.screen import Screen
from training.settings import TrainSettings

# A forward pass of validation or feature images costs about a third of a training step on as many.
_FORWARD_SHARE = 0.4


@dataclass(frozen=True, slots=True)
class Target:
    """Where a run writes to, and what it may replace there: a plain value."""

    out: Path
    name: str
    overwrite: bool = False

    def refuse_taken(self) -> None:
        """Raise before hours of training what would be refused at its end: something that may not be replaced."""
        if not self.out.exists() or (self.out.is_dir() and not any(self.out.iterdir())):
            return
        try:
            there = read_card(self.out)
        except ModelError as error:
            raise SettingsError(
                f"--out {self.out}: exists and is no bundle, it is left alone — a bundle replaces only a bundle — "
                f"choose another path or remove it yourself ({error})"
            ) from error
        if not self.overwrite:
            raise SettingsError(
                f"--out {self.out}: bundle '{there.card.name}' is there already — it is replaced only on request — "
                "choose another path or add --overwrite"
            )


def train_model(
    material: Material, settings: TrainSettings, start: Start, target: Target, folder: RunFolder, screen: Screen
) -> Release:
    """Fit (or go on fitting) and release a model; raise TrainingInterrupted after Ctrl-C, with all epochs kept."""
    try:
        return _train(material, settings, start, target, folder, screen)
    except KeyboardInterrupt:
        raise TrainingInterrupted(
            f"interrupted — the finished epochs are kept in {folder.path} — give the same command again to go on, or "
            "add --restart to begin anew"
        ) from None


def _train(
    material: Material, settings: TrainSettings, start: Start, target: Target, folder: RunFolder, screen: Screen
) -> Release:
    begun_ns = time.monotonic_ns()
    torch.manual_seed(settings.seed)
    model = Deployed(build_network(settings.backbone, len(material.classes), start))
    pretrained = start.weights is not None
    fitting = Fitting(model, settings, pretrained=pretrained, good_index=material.good_index)
    state = folder.load()
    if state is not None:
        fitting.restore(state)
        screen.say(f"going on after epoch {len(fitting.history)} of {settings.epochs}, from {folder.path}")
    _tell_estimate(fitting, material, settings, screen)
    if state is None and pretrained:
        batches = math.ceil(len(material.train.truth) / settings.batch_size)
        with screen.bar("head on frozen features", batches) as advance:
            fitting.start_head(material.train.pixels, material.train.truth, advance)
    _run_epochs(fitting, material, settings, folder, screen)
    screen.say("threshold, export, parity of torch and ONNX on the test images, figures …")
    released = release(
        model,
        material,
        settings,
        out=target.out,
        name=target.name,
        start=start.told,
        folder=folder,
        overwrite=target.overwrite,
    )
    _write_report(fitting, released, folder)
    history = [epoch.as_dict() for epoch in fitting.history]
    report_run(released, material.test, folder, material.name, history, (time.monotonic_ns() - begun_ns) / 1e9)
    screen.say(f"report: {folder.report}")
    folder.forget()
    return released


def _run_epochs(
    fitting: Fitting, material: Material, settings: TrainSettings, folder: RunFolder, screen: Screen
) -> None:
    train, validation = material.train, material.validation
    steps = steps_per_epoch(len(train.truth), settings.batch_size)
    first = len(fitting.history)
    with screen.bar("training", steps * (settings.epochs - first)) as advance:
        for _ in range(first, settings.epochs):
            loss = fitting.run_epoch(train.pixels, train.truth, advance)
            epoch = fitting.close_epoch(loss, validation.pixels, validation.truth)
            folder.save(fitting.state())
            area = "" if epoch.validation_auroc is None else f", validation AUROC {epoch.validation_auroc:.4f}"
            screen.say(
                f"epoch {epoch.number}/{settings.epochs}: training loss {epoch.train_loss:.4f}, "
                f"validation loss {epoch.validation_loss:.4f}{area}"
            )


def _tell_estimate(fitting: Fitting, material: Material, settings: TrainSettings, screen: Screen) -> None:
    step_s = fitting.seconds_per_step(material.train.pixels, material.train.truth)
    images = len(material.train.truth)
    left = settings.epochs - len(fitting.history)
    forwards = left * len(material.validation.truth) + images + 2 * len(material.test.truth)
    total_s = step_s * (left * steps_per_epoch(images, settings.batch_size))
    total_s += step_s * _FORWARD_SHARE * forwards / settings.batch_size
    screen.say(
        f"about {_duration(total_s)} on {settings.threads} thread(s): {left} epoch(s) of "
        f"{steps_per_epoch(images, settings.batch_size)} steps at {step_s * 1000:.0f} ms"
    )


def _duration(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 90
        else f"{seconds / 60:.1f} min"
        if seconds < 5400
        else f"{seconds / 3600:.1f} h"
    )


def _write_report(fitting: Fitting, released: Release, folder: RunFolder) -> None:
    draw_curves(fitting.history, folder.path / "curves.png")
    card = released.bundle.card
    draw_confusion(card.metrics.confusion or (), card.classes, folder.path / "confusion.png")
    history = [epoch.as_dict() for epoch in fitting.history]
    (folder.path / "history.json").write_text(json.dumps(history, indent=2) + "\n", encoding="utf-8")

"""Good and defect types, told apart by a backbone with a new head."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import torch

from training.crops import is_cut, load_boxes
from training.deployed import Deployed
from training.draws import steps_per_epoch
from training.fitting import Epoch, Fitting, fit_temperature, score_pixels
from training.head import start_head
from training.images import Source
from training.material import Material, load_material
from training.network import ARCHITECTURES, Start, build_network
from training.runfolder import RunFolder
from training.runlog import RunLog
from training.screen import Screen, duration
from training.settings import TrainSettings
from training.tasks.task import Fitted
from training.team import present_team
from training.together import put_together

# A forward pass of validation or feature images costs about a third of a training step on as many.
_FORWARD_SHARE = 0.4


class Classify:
    """The task 'classify': a value without state."""

    def load(self, source: Source, settings: TrainSettings, folder: RunFolder, advance: Callable[[], None]) -> Material:
        """Load every image at the input size, and the boxes that it is cut into, where it is."""
        load = load_boxes if is_cut(source, settings) else load_material
        return load(source, settings, folder, advance)

    def fit(
        self, material: Material, settings: TrainSettings, start: Start, folder: RunFolder, screen: Screen
    ) -> Fitted:
        """Fit the head on frozen features, then the layers that are not frozen, epoch by epoch."""
        return self.fit_watched(material, settings, start, folder, screen, lambda _epoch: None)

    def fit_watched(
        self,
        material: Material,
        settings: TrainSettings,
        start: Start,
        folder: RunFolder,
        screen: Screen,
        watch: Callable[[Epoch], None],
    ) -> Fitted:
        """Fit as `fit` does; `watch` gets every epoch when its state is kept, also those of an earlier start."""
        if material.boxes is not None:
            of_boxes = self.fit_watched(material.boxes.alone(material), settings, start, folder, screen, watch)
            return put_together(of_boxes, material, material.boxes.cut)
        torch.manual_seed(settings.seed)
        model = Deployed(
            build_network(settings.backbone, len(material.classes), start), ARCHITECTURES[settings.backbone].middle
        )
        pretrained = start.weights is not None
        fitting = Fitting(model, settings, pretrained=pretrained, good_index=material.good_index)
        team = present_team()
        state = team.tell(folder.load() if team.leads else None)
        if state is not None:
            fitting.restore(state)
            for epoch in fitting.history:
                watch(epoch)
            steps = f" and {fitting.steps_done} steps" if fitting.steps_done else ""
            screen.say(f"going on after epoch {len(fitting.history)}{steps} of {settings.epochs}, from {folder.path}")
        _tell_estimate(fitting, material, settings, screen)
        if state is None and pretrained:
            batches = math.ceil(len(material.train.truth) / settings.batch_size)
            with screen.bar("head on frozen features", batches) as advance:
                start_head(model, settings, material.train.pixels, material.train.target, advance)
            folder.save(fitting.state())
        _run_epochs(fitting, material, settings, folder, screen, watch)
        model.cpu()
        raw = score_pixels(model, material.validation.pixels, settings.batch_size)
        temperature = fit_temperature(raw, material.validation.target)
        model.temperature.fill_(temperature)
        return Fitted(model, temperature, settings.backbone, [epoch.as_dict() for epoch in fitting.history])


TASK = Classify()


def _run_epochs(
    fitting: Fitting,
    material: Material,
    settings: TrainSettings,
    folder: RunFolder,
    screen: Screen,
    watch: Callable[[Epoch], None],
) -> None:
    train, validation = material.train, material.validation
    wanted, held = train.target, validation.target
    steps = steps_per_epoch(len(wanted), settings.batch_size)

    def keep() -> None:
        if folder.due():
            folder.save(fitting.state())

    left = steps * (settings.epochs - len(fitting.history)) - fitting.steps_done
    with screen.bar("training", left) as advance, RunLog(folder, len(fitting.history)) as log:
        for _ in range(len(fitting.history), settings.epochs):
            already, begun_ns = fitting.steps_done, time.monotonic_ns()
            loss = fitting.run_epoch(train.pixels, wanted, advance, keep)
            speed = (steps - already) * settings.batch_size / (time.monotonic_ns() - begun_ns) * 1e9
            epoch = fitting.close_epoch(loss, validation.pixels, held)
            folder.save(fitting.state())
            log.epoch(
                epoch.number,
                {
                    "loss/training": epoch.train_loss,
                    "loss/validation": epoch.validation_loss,
                    "AUROC/validation": epoch.validation_auroc,
                    "learning rate": fitting.rate,
                    "images per second": speed,
                },
            )
            area = "" if epoch.validation_auroc is None else f", validation AUROC {epoch.validation_auroc:.4f}"
            screen.say(
                f"epoch {epoch.number}/{settings.epochs}: training loss {epoch.train_loss:.4f}, "
                f"validation loss {epoch.validation_loss:.4f}{area}"
            )
            watch(epoch)


def _tell_estimate(fitting: Fitting, material: Material, settings: TrainSettings, screen: Screen) -> None:
    step_s = fitting.seconds_per_step(material.train.pixels, material.train.target)
    images = len(material.train.truth)
    left = settings.epochs - len(fitting.history)
    forwards = left * len(material.validation.truth) + images + 2 * len(material.test.truth)
    total_s = step_s * (left * steps_per_epoch(images, settings.batch_size) - fitting.steps_done)
    total_s += step_s * _FORWARD_SHARE * forwards / settings.batch_size
    screen.say(
        f"about {duration(total_s)} on {settings.threads} thread(s): {left} epoch(s) of "
        f"{steps_per_epoch(images, settings.batch_size)} steps at {step_s * 1000:.0f} ms"
    )

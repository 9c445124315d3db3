"""Good and defect types, told apart by a backbone with a new head."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from training.crops import is_cut, load_boxes
from training.deployed import Deployed
from training.fitting import Fitting, fit_temperature, score_pixels, steps_per_epoch
from training.images import Source
from training.material import Material, load_material
from training.network import Start, build_network
from training.runfolder import RunFolder
from training.screen import Screen, duration
from training.settings import TrainSettings
from training.tasks.task import Fitted
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
        if material.boxes is not None:
            of_boxes = self.fit(material.boxes.alone(material), settings, start, folder, screen)
            return put_together(of_boxes, material, material.boxes.cut)
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
                fitting.start_head(material.train.pixels, material.train.target, advance)
        _run_epochs(fitting, material, settings, folder, screen)
        raw = score_pixels(model, material.validation.pixels, settings.batch_size)
        temperature = fit_temperature(raw, material.validation.target)
        model.temperature.fill_(temperature)
        return Fitted(model, temperature, settings.backbone, [epoch.as_dict() for epoch in fitting.history])


TASK = Classify()


def _run_epochs(
    fitting: Fitting, material: Material, settings: TrainSettings, folder: RunFolder, screen: Screen
) -> None:
    train, validation = material.train, material.validation
    wanted, held = train.target, validation.target
    steps = steps_per_epoch(len(wanted), settings.batch_size)
    first = len(fitting.history)
    with screen.bar("training", steps * (settings.epochs - first)) as advance:
        for _ in range(first, settings.epochs):
            loss = fitting.run_epoch(train.pixels, wanted, advance)
            epoch = fitting.close_epoch(loss, validation.pixels, held)
            folder.save(fitting.state())
            area = "" if epoch.validation_auroc is None else f", validation AUROC {epoch.validation_auroc:.4f}"
            screen.say(
                f"epoch {epoch.number}/{settings.epochs}: training loss {epoch.train_loss:.4f}, "
                f"validation loss {epoch.validation_loss:.4f}{area}"
            )


def _tell_estimate(fitting: Fitting, material: Material, settings: TrainSettings, screen: Screen) -> None:
    step_s = fitting.seconds_per_step(material.train.pixels, material.train.target)
    images = len(material.train.truth)
    left = settings.epochs - len(fitting.history)
    forwards = left * len(material.validation.truth) + images + 2 * len(material.test.truth)
    total_s = step_s * (left * steps_per_epoch(images, settings.batch_size))
    total_s += step_s * _FORWARD_SHARE * forwards / settings.batch_size
    screen.say(
        f"about {duration(total_s)} on {settings.threads} thread(s): {left} epoch(s) of "
        f"{steps_per_epoch(images, settings.batch_size)} steps at {step_s * 1000:.0f} ms"
    )

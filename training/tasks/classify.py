"""Good and defect types, told apart by a backbone with a new head."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from training.classify.head import start_head
from training.classify.lesson import ClassLesson
from training.classify.temperature import fit_temperature
from training.crops import is_cut, load_boxes
from training.deployed import Deployed
from training.epochs import Watch, fit_epochs
from training.forward import score_pixels
from training.images import Source
from training.material import Material, load_material
from training.network import ARCHITECTURES, Start, build_network
from training.runfolder import RunFolder
from training.screen import Screen
from training.settings import TrainSettings
from training.tasks.task import Fitted
from training.together import put_together


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

    def has_epochs(self, _material: Material, /) -> bool:
        """Yes, to any images."""
        return True

    def fit_watched(
        self,
        material: Material,
        settings: TrainSettings,
        start: Start,
        folder: RunFolder,
        screen: Screen,
        watch: Watch,
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
        train, validation = material.train, material.validation
        lesson = ClassLesson(
            model,
            settings,
            (train.pixels, train.target),
            (validation.pixels, validation.target),
            pretrained=pretrained,
            good_index=material.good_index,
        )

        def begin() -> None:
            batches = math.ceil(len(train.truth) / settings.batch_size)
            with screen.bar("head on frozen features", batches) as advance:
                start_head(model, settings, train.pixels, train.target, advance)

        held_out = (len(validation.truth), len(train.truth) + 2 * len(material.test.truth))
        history = fit_epochs(
            lesson, settings, folder, screen, watch, held_out=held_out, begin=begin if pretrained else None
        )
        raw = score_pixels(model, validation.pixels, settings.batch_size)
        temperature = fit_temperature(raw, validation.target)
        model.temperature.fill_(temperature)
        return Fitted(model, temperature, settings.backbone, history)


TASK = Classify()

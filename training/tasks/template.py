"""Parts beside golden images: aligned, compared place by place, judged by what differs."""

from __future__ import annotations

from collections.abc import Callable

import torch

from models.card import GoldenSpec, MapSpec
from training.epochs import Watch
from training.images import Source
from training.material import Material
from training.network import Start
from training.runfolder import RunFolder
from training.screen import Screen
from training.settings import TrainSettings
from training.tasks.task import Fitted
from training.template import network, tolerance
from training.template.learning import fit_network, fit_tolerance
from training.template.material import TemplateMaterial, load_paired
from training.template.network import STRIDE


class Template:
    """The task 'template': a value without state."""

    def load(self, source: Source, settings: TrainSettings, folder: RunFolder, advance: Callable[[], None]) -> Material:
        """Load photos and golden images at the input size."""
        return load_paired(source, settings, folder, advance)

    def fit(
        self, material: Material, settings: TrainSettings, start: Start, folder: RunFolder, screen: Screen
    ) -> Fitted:
        """Fit the comparing network epoch by epoch; without any defect learn how far good parts differ."""
        return self.fit_watched(material, settings, start, folder, screen, lambda _epoch: None)

    def has_epochs(self, material: Material, /) -> bool:
        """Only where there are defects: else it is measured how far good parts differ."""
        assert isinstance(material, TemplateMaterial)
        return bool(material.types[:, 1:].any())

    def fit_watched(
        self,
        material: Material,
        settings: TrainSettings,
        start: Start,
        folder: RunFolder,
        screen: Screen,
        watch: Watch,
    ) -> Fitted:
        """Fit as `fit` does; `watch` gets every epoch, also those of an earlier start, and none without a defect."""
        assert isinstance(material, TemplateMaterial)
        if start.weights is not None:
            screen.say("the comparing network starts from scratch: the weights of a backbone do not fit it")
        if material.blank:
            screen.say(f"{material.blank} training photos are left out: their golden image is blank")
        if material.rescanned:
            screen.say(
                f"{material.rescanned} good images are golden images themselves: each is shown as if it had been "
                "photographed once more, up to 3 px beside and with other edges or noise; real good parts prove more"
            )
        torch.manual_seed(settings.seed)
        torch.set_num_threads(settings.threads)
        if self.has_epochs(material):
            model, history = fit_network(material, settings, folder, screen, watch)
            name = network.NAME
        else:
            model, history, name = fit_tolerance(material, folder, screen), (), tolerance.NAME
        height, width = (-(-side // STRIDE) for side in (settings.height, settings.width))
        return Fitted(
            model.eval(),
            1.0 / float(model.gain),
            name,
            history,
            MapSpec(height=height, width=width),
            smallest_defect_px=material.smallest_defect_px,
            golden=GoldenSpec(
                images=model.store.number,
                stored_bytes=model.store.stored_bytes,
                reach_px=model.locate.reach_px,
                correlation_min=float(model.floor),
                rescanned=material.rescanned,
            ),
        )


TASK = Template()

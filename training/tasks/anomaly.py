"""Good parts alone: what is far from all of them is called an anomaly, with a map of where."""

from __future__ import annotations

from collections.abc import Callable

import torch

from models.card import MapSpec
from models.memory import keep_freed_memory
from training.anomaly.learning import learn
from training.epochs import Watch, unwatched
from training.errors import TrainingInterrupted
from training.images import Source
from training.material import Material, load_material
from training.network import Start
from training.runfolder import RunFolder
from training.screen import Screen
from training.settings import TrainSettings
from training.tasks.task import Fitted


class Anomaly:
    """The task 'anomaly': a value without state.

    Nothing is kept of an interrupted run: the backbone stays as it is, and its features are computed again sooner than
    they would be read from a disk.
    """

    def load(self, source: Source, settings: TrainSettings, folder: RunFolder, advance: Callable[[], None]) -> Material:
        """Load every image at the input size."""
        return load_material(source, settings, folder, advance)

    def fit(
        self,
        material: Material,
        settings: TrainSettings,
        start: Start,
        folder: RunFolder,  # noqa: ARG002  (nothing is kept of an unfinished run)
        screen: Screen,
        watch: Watch = unwatched,  # noqa: ARG002  (there are no epochs)
    ) -> Fitted:
        """Learn from the good training images and calibrate on the validation images."""
        keep_freed_memory()
        torch.set_num_threads(settings.threads)
        torch.use_deterministic_algorithms(True)
        torch.manual_seed(settings.seed)
        if start.weights is None:
            screen.say(
                f"no pretrained weights: the features of {settings.backbone} are random and tell coarse differences "
                "only — give a state dict with --weights FILE, or --weights download"
            )
        try:
            with torch.no_grad():
                detector = learn(material, settings, start, screen)
        except KeyboardInterrupt:
            raise TrainingInterrupted(
                "interrupted while good parts were learned — nothing of it is kept, it takes seconds to minutes — give "
                "the same command again"
            ) from None
        height, width = detector.patches.grid
        return Fitted(
            detector,
            1.0,
            f"{settings.backbone}, {settings.method_or_default}",
            map=MapSpec(height=height, width=width),
        )


TASK = Anomaly()

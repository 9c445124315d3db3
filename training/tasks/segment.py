"""Where the defects lie, learned from masks and outlines; the part is judged from the map."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from models.card import MapSpec
from training.epochs import Watch, fit_epochs
from training.images import Source
from training.masks import UNKNOWN
from training.material import Material
from training.network import Start
from training.runfolder import RunFolder
from training.screen import Screen
from training.segment.calibrate import fit_calibration
from training.segment.deployed import DeployedSegmenter
from training.segment.lesson import MapLesson, measure_part, sample_cells
from training.segment.material import load_outlined
from training.segment.network import Segmenter
from training.settings import TrainSettings
from training.statements import SMALLEST_PX, count_of
from training.tasks.task import Fitted


class Segment:
    """The task 'segment': a value without state."""

    def load(self, source: Source, settings: TrainSettings, folder: RunFolder, advance: Callable[[], None]) -> Material:
        """Load every image and its mask at the input size."""
        return load_outlined(source, settings, folder, advance)

    def fit(
        self, material: Material, settings: TrainSettings, start: Start, folder: RunFolder, screen: Screen
    ) -> Fitted:
        """Fit decoder and backbone together, epoch by epoch, then calibrate the scores of the part and the map."""
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
        _tell_marks(material, settings, screen)
        torch.manual_seed(settings.seed)
        network = Segmenter(settings.backbone, len(material.classes), start, settings.height, settings.width)
        model = DeployedSegmenter(network, len(material.classes))
        lesson = MapLesson(model, settings, material.train, material.validation, pretrained=start.weights is not None)
        held_out = (len(material.validation.truth), 3 * len(material.test.truth))
        history = fit_epochs(lesson, settings, folder, screen, watch, held_out=held_out)
        _, raw = measure_part(model, material.validation, settings.batch_size)
        parts = fit_calibration(raw, material.validation.truth)
        cells = fit_calibration(*sample_cells(model, material.validation, settings.batch_size))
        model.calibrate(parts, cells)
        rows, columns = network.map_size
        return Fitted(
            model,
            parts[0],
            lesson.network,
            history,
            map=MapSpec(height=rows, width=columns),
            smallest_defect_px=material.defects[0].area_px if material.defects else None,
        )


TASK = Segment()


def _tell_marks(material: Material, settings: TrainSettings, screen: Screen) -> None:
    """Say how many defects teach where they are, which only their class, and how small the smallest is."""
    for name, part in (("train", material.train), ("validation", material.validation), ("test", material.test)):
        bad = np.flatnonzero(part.truth != 0).tolist()
        unmarked = [row for row in bad if part.masks is not None and bool((part.masks[row] == UNKNOWN).all())]
        told = f"  {name}: {len(bad) - len(unmarked)} of {count_of(len(bad), 'defective image')} marked"
        if unmarked:
            told += f"; on {_named(part.names, unmarked)} nothing is marked: only the class counts"
        screen.say(told)
    for index, label in enumerate(material.classes):
        lacking = [
            name for name, part in (("validation", material.validation), ("test", material.test))
            if not (part.truth == index).any()
        ]  # fmt: skip
        if lacking:
            images = int((material.train.truth == index).sum())
            screen.say(
                f"  '{label}' has {count_of(images, 'training image')} and none for {' and '.join(lacking)}: it is "
                "learned, and nothing tells how well — add images of other pieces"
            )
    tiny = [defect for defect in material.defects if defect.area_px < SMALLEST_PX]
    if tiny:
        screen.say(
            f"warning: {len(tiny)} of {len(material.defects)} marked training defects have fewer than {SMALLEST_PX:g} "
            f"pixels at the input of {settings.width}×{settings.height}, the smallest {tiny[0].area_px:.2g} (a "
            f"{tiny[0].label} of {tiny[0].path.name}): hardly to be seen — train with a larger --size, cut the picture "
            "to the part, or look whether these are specks of the mask"
        )


def _named(names: Sequence[str], rows: Sequence[int], count: int = 3) -> str:
    shown = ", ".join(names[row] for row in rows[:count] if row < len(names))
    more = f" and {len(rows) - count} more" if len(rows) > count else ""
    return f"{len(rows)} ({shown}{more})"

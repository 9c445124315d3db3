"""From loaded photos to a fitted model: align once, fit the network or the tolerance, set the floor, calibrate."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from datasets.columns import describe_problems
from training.epochs import Watch, fit_epochs
from training.errors import TrainingDataError
from training.forward import run_module
from training.runfolder import RunFolder
from training.screen import Screen
from training.settings import TrainSettings
from training.tasks.task import History
from training.template.calibrate import calibrate
from training.template.crops import Aligned
from training.template.lesson import CompareLesson
from training.template.material import TemplateMaterial
from training.template.model import Comparing, cells_of
from training.template.network import ComparingNetwork
from training.template.planes import compare, planes_of
from training.template.tolerance import Tolerance, difference, learn_tolerance

_BATCH = 4
_NO_LIKENESS = 0.3
_FLOORS = (0.2, 0.9)
_MOST_VALUES = 2**25  # of differences that are looked at at once: 128 MiB, 1,310 photos of 640×640
_GOOD_LOGIT = 6.0  # of the middle good part, where no defect says what a score means


def fit_network(
    material: TemplateMaterial, settings: TrainSettings, folder: RunFolder, screen: Screen, watch: Watch
) -> tuple[Comparing, History]:
    """Fit the comparing network, or go on with what the folder kept, and calibrate it on the validation photos."""
    network = ComparingNetwork(planes_of(material.channels), len(material.classes) - 1)
    model = Comparing(material.goldens, network).eval()
    aligned, likeness = align_photos(model, material, folder, screen)
    validation = material.validation
    history = fit_epochs(CompareLesson(model, network, settings, aligned, validation), settings, folder, screen, watch)
    raw = run_module(model, validation.pixels, _BATCH)[0]
    found = calibrate(raw, validation.truth != 0)
    model.gain.fill_(found.gain)
    model.offset.fill_(found.offset)
    # Only now: a photo that shows no golden image must not decide what the network's scores mean.
    model.floor.fill_(floor_of(likeness))
    return model, history


def fit_tolerance(material: TemplateMaterial, folder: RunFolder, screen: Screen) -> Comparing:
    """Learn how far good parts differ from their golden image; the scores have a scale, but no frequency yet.

    The logit is -6 for the middle good validation part and rises by one with each spread between good parts.
    """
    number, height, width = len(material.goldens), *material.cells.shape[1:]
    nothing = np.zeros((number, height, width), np.float32)
    model = Comparing(material.goldens, Tolerance(nothing, nothing + 1.0)).eval()
    aligned, likeness = align_photos(model, material, folder, screen)
    model.floor.fill_(floor_of(likeness))
    most = max(1, min(len(aligned.rows), _MOST_VALUES // (height * width)))
    chosen = np.unique(np.linspace(0, len(aligned.rows) - 1, most).round().astype(np.intp))
    differences = np.empty((len(chosen), height, width), np.float32)
    for place, index in enumerate(chosen):
        row = aligned.rows[index]
        photo, golden = (
            torch.from_numpy(np.array(kind)).permute(2, 0, 1)[None].float()
            for kind in (aligned.photos[index], aligned.goldens[row])
        )
        differences[place] = difference(compare(photo, golden))[0, 0].numpy()
    model.judge = learn_tolerance(differences, aligned.rows[chosen], number)
    good = material.validation.truth == 0
    raw = run_module(model, material.validation.pixels[good], _BATCH)[0][:, 1].astype(np.float64)
    middle = float(np.median(raw))
    spread = max(float(np.quantile(raw, 0.9) - middle) / 1.2816, 0.05 * abs(middle), 0.1)
    model.gain.fill_(1.0 / spread)
    model.offset.fill_(-middle / spread - _GOOD_LOGIT)
    return model


def align_photos(
    model: Comparing, material: TemplateMaterial, folder: RunFolder, screen: Screen
) -> tuple[Aligned, NDArray[np.float64]]:
    """Move each training photo onto its golden image, into arrays beside the bundle; with their correlations (n,).

    Raises TrainingDataError where a golden image is like none of the photos that are held against it.
    """
    number = len(material.rows)
    photos = folder.pixels(material.train.pixels.shape, "aligned")
    cells = np.zeros_like(material.cells)
    likeness = np.empty(number)
    with screen.bar("aligning", number) as advance, torch.inference_mode():
        for first in range(0, number, _BATCH):
            chosen = np.arange(first, min(first + _BATCH, number))
            rows = torch.from_numpy(material.rows[chosen].astype(np.int64))
            found = model.align(torch.from_numpy(np.array(material.train.pixels[chosen])), rows)
            photos[chosen] = found.level.round().byte().permute(0, 2, 3, 1).numpy()
            likeness[chosen] = found.correlation.numpy()
            for index, (down, right) in zip(chosen, cells_of(found.shift).tolist(), strict=True):
                cells[index] = moved(material.cells[index], down, right)
                advance()
    refuse_strangers(material, likeness)
    return Aligned(photos, material.goldens, material.rows, cells, material.marked, material.types), likeness


def floor_of(likeness: NDArray[np.float64]) -> float:
    """Give the correlation below which a photo shows none of the golden images, from those of the training photos.

    It lies below the hundredth of them that is least alike by half of what they lack and a tenth more, in 0.2..0.9.
    """
    low = float(np.quantile(likeness, 0.01))
    return float(np.clip(low - 0.5 * (1.0 - low) - 0.1, *_FLOORS))


def refuse_strangers(material: TemplateMaterial, likeness: NDArray[np.float64]) -> None:
    """Raise TrainingDataError that lists the golden images that at least half of their photos do not show."""
    strangers = []
    for row in np.unique(material.rows):
        own = likeness[material.rows == row]
        if np.median(own) < _NO_LIKENESS:
            strangers.append(f"{material.golden_names[row]}: {len(own)} photo(s), correlation {np.median(own):.2f}")
    if strangers:
        raise TrainingDataError(
            describe_problems(
                f"{material.name}: {len(strangers)} golden image(s) that their photos do not show, even moved by "
                f"{Comparing.reach_of(material.goldens)} px — at least {_NO_LIKENESS} of correlation is needed — give "
                "the golden image of that product, taken by the same camera",
                strangers,
                limit=10,
            )
        )


def moved(cells: NDArray[np.uint8], down: int, right: int) -> NDArray[np.uint8]:
    """Return cells (h, w) whose (y, x) is that of (y + down, x + right), 0 where that lies outside."""
    height, width = cells.shape
    filled = np.pad(cells, ((abs(down),) * 2, (abs(right),) * 2))
    top, left = abs(down) + down, abs(right) + right
    return filled[top : top + height, left : left + width]

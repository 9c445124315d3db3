"""From good parts to a calibrated detector: three passes over at most two thousand images, bounded in memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.anomaly.calibration import Scale, scale_of_both, scale_of_good
from training.anomaly.detector import Detector
from training.anomaly.gaussian import DIMENSIONS, Gaussian
from training.anomaly.judge import Learner
from training.anomaly.memory import Memory
from training.anomaly.patches import Patches
from training.errors import TrainingDataError
from training.material import Material, Part
from training.network import Start, build_network
from training.screen import Screen, duration
from training.settings import TrainSettings

MOST_IMAGES = 2000  # that are learned from; of more a sample is drawn by the seed
LEFT_OUT = 500  # of these, that tell how far good parts are from one another
OFFERED = 200_000  # places that are offered to the memory, drawn evenly from all images
FEWEST = {"memory": 4, "gaussian": 8}
_MEASURED = 64  # images that tell mean and variance of the channels
_BATCH = 8
_LONGEST = 128  # dimensions of the memory

Rows = NDArray[np.intp]


def learn(material: Material, settings: TrainSettings, start: Start, screen: Screen) -> Detector:
    """Learn what good parts look like and calibrate on those left out and on the validation images.

    Raises TrainingDataError where there are too few pieces or all images are the same, SettingsError for a size that
    the method cannot take.
    """
    train = material.train
    pieces = _piece_numbers(train.groups)
    _refuse_poor(train, pieces, settings.method_or_default)
    network = build_network(settings.backbone, len(material.classes), start)
    gaussian = settings.method_or_default == "gaussian"
    patches = Patches(
        network,
        settings.backbone,
        height=settings.height,
        width=settings.width,
        dimensions=DIMENSIONS if gaussian else _LONGEST,
        seed=settings.seed,
    )
    rows = _drawn(len(train.truth), MOST_IMAGES, settings.seed)
    learner: Learner = (
        Gaussian(patches.grid, patches.dimensions)
        if gaussian
        else Memory(patches.dimensions, max(1, OFFERED // len(rows)), settings.seed)
    )
    _measure_channels(patches, train, rows[:: max(1, len(rows) // _MEASURED)])
    left_out = rows[:: max(1, -(-len(rows) // LEFT_OUT))]
    _tell_estimate(patches, material, len(rows) + len(left_out), settings.threads, screen)
    with screen.bar("learning good parts", len(rows)) as advance:
        for chosen, pixels in _batches(train, rows):
            learner.add(patches(pixels), pieces[chosen])
            _advance(advance, len(chosen))
    screen.say(f"learned from {len(rows)} of {len(train.truth)} good images; comparing them with one another …")
    detector = Detector(patches, learner.finish())
    with screen.bar("good parts, each left out", len(left_out)) as advance:
        distances = []
        for chosen, pixels in _batches(train, left_out):
            distances.append(learner.leave_out(patches(pixels), pieces[chosen]))
            _advance(advance, len(chosen))
    apart = torch.cat(distances)
    detector.expect(apart)
    detector.calibrate(_scale(detector, apart, material))
    return detector.eval()


def _scale(detector: Detector, apart: Tensor, material: Material) -> Scale:
    """Fit the scale on good images left out and of validation; where validation has defects, on these, too."""
    validation = material.validation
    parts = [
        detector.strangeness(detector.distance(detector.patches(pixels)))
        for _, pixels in _batches(validation, np.arange(len(validation.truth)))
    ]
    seen = np.concatenate(parts)
    defective = validation.truth != material.good_index
    scale = scale_of_good(np.concatenate((detector.strangeness(apart), seen[~defective])))
    if defective.any() and not defective.all():
        return scale_of_both(scale, seen, defective)
    return scale


def _refuse_poor(train: Part, pieces: Tensor, method: str) -> None:
    """Raise TrainingDataError where nothing could be learned from the good images."""
    count, images = int(pieces.max()) + 1, len(train.truth)
    if count < FEWEST[method]:
        raise TrainingDataError(
            f"{count} good piece(s) ({images} image(s)) to learn from — '{method}' needs at least {FEWEST[method]} "
            "beside those to validate and test with — add photos of further good parts"
        )
    if all(np.array_equal(train.pixels[0], train.pixels[row]) for row in range(1, images)):
        raise TrainingDataError(
            f"all {images} good images to learn from are the same picture — good parts differ, and how much they do "
            "has to be learned — add photos of other parts, as the camera of the line takes them"
        )


def _piece_numbers(groups: tuple[str, ...]) -> Tensor:
    """Number the pieces (n,) in the order in which they come."""
    numbers: dict[str, int] = {}
    return torch.tensor([numbers.setdefault(group, len(numbers)) for group in groups], dtype=torch.long)


def _drawn(count: int, most: int, seed: int) -> Rows:
    rows = np.random.default_rng(seed).permutation(count)[:most]
    return np.sort(rows).astype(np.intp)


def _batches(part: Part, rows: Rows) -> Iterator[tuple[Tensor, Tensor]]:
    """Give row numbers and pixels, a batch at a time; one batch of pixels is in memory."""
    for begin in range(0, len(rows), _BATCH):
        chosen = rows[begin : begin + _BATCH]
        yield torch.from_numpy(chosen), torch.from_numpy(np.array(part.pixels[chosen]))


def _measure_channels(patches: Patches, train: Part, rows: Rows) -> None:
    count, total, square = 0, torch.zeros(()), torch.zeros(())
    for _, pixels in _batches(train, rows):
        flat = patches.read(pixels).flatten(0, 2).double()
        count, total, square = count + len(flat), total + flat.sum(0), square + (flat * flat).sum(0)
    mean = total / count
    patches.settle(mean, (square / count - mean * mean).clamp_min(0.0))


def _tell_estimate(patches: Patches, material: Material, passes: int, threads: int, screen: Screen) -> None:
    """Time a batch and say how long it will take: every image is looked at once more by torch and by ONNX Runtime."""
    rows = np.arange(min(_BATCH, len(material.train.truth)))
    pixels = torch.from_numpy(np.array(material.train.pixels[rows]))
    begun_ns = time.monotonic_ns()
    patches(pixels)
    each_s = (time.monotonic_ns() - begun_ns) / 1e9 / len(rows)
    total = passes + 2 * len(material.validation.truth) + 3 * len(material.test.truth)
    screen.say(
        f"about {duration(1.5 * each_s * total)} on {threads} thread(s): {total} looks of {each_s * 1000:.0f} ms"
    )


def _advance(advance: Callable[[], None], count: int) -> None:
    for _ in range(count):
        advance()

"""How much of a bare loop's speed the training loop keeps, and how long a first model of 1,000 photos takes."""

from __future__ import annotations

import copy
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.classify.lesson import ClassLesson
from training.deployed import Deployed
from training.draws import MIN_DRAWS, steps_per_epoch
from training.fitting import Fitting
from training.forward import Pixels, score_pixels
from training.network import Start, build_network
from training.settings import TrainSettings

TARGET = 0.9
_PHOTOS = 1000
_SHARES = (0.6, 0.2, 0.2)  # of `lineward train`'s own split
_IMAGES = MIN_DRAWS  # an epoch of the real loop


def measure_throughput(
    settings: TrainSettings, start: Start, *, rounds: int, say: Callable[[str], None]
) -> dict[str, object]:
    """Compare the real loop (drawing, changing, learning, from pixels on disk) with bare steps on tensors in memory.

    Both have the same network, optimiser, batch size and threads, and take turns, an epoch of 256 images each, after
    one that is not counted.
    """
    with tempfile.TemporaryDirectory(prefix="lineward-bench-") as folder:
        pixels = np.lib.format.open_memmap(
            Path(folder) / "pixels.npy", mode="w+", dtype=np.uint8, shape=(_IMAGES, settings.height, settings.width, 3)
        )
        noise = np.random.default_rng(0)
        for row in pixels:
            row[...] = noise.integers(0, 256, row.shape, np.uint8)
        truth = (np.arange(_IMAGES) % 2).astype(np.intp)
        torch.manual_seed(settings.seed)
        model = Deployed(build_network(settings.backbone, 2, start))
        bare = copy.deepcopy(model).to(memory_format=torch.channels_last)
        chosen = settings.model_copy(update={"epochs": rounds + 1})
        few = (pixels[:1], truth[:1])
        pretrained = start.weights is not None
        lesson = ClassLesson(model, chosen, (pixels, truth), few, pretrained=pretrained, good_index=0)
        fitting = Fitting(lesson, chosen)
        real, bare_times = [], []
        for turn in range(rounds + 1):
            spent = _spent(lambda: fitting.run_epoch(lambda: None))
            fitting.close_epoch(0.0)  # counts the epoch
            bare_spent = _learn_bare(
                bare, _batches(pixels, truth, settings.batch_size), settings, pretrained=pretrained
            )
            if turn:
                real.append(spent)
                bare_times.append(bare_spent)
                say(f"throughput, round {turn} of {rounds}: {spent.wall_s:.1f} s, bare {bare_spent.wall_s:.1f} s")
        began_ns = time.monotonic_ns()
        score_pixels(model, pixels, settings.batch_size)
        forward_s = (time.monotonic_ns() - began_ns) / 1e9 / _IMAGES
    drawn = steps_per_epoch(_IMAGES, settings.batch_size) * settings.batch_size
    pairs = list(zip(real, bare_times, strict=True))
    real_s, bare_s = (statistics.median(one.wall_s for one in times) for times in (real, bare_times))
    step_s = real_s / steps_per_epoch(_IMAGES, settings.batch_size)
    return {
        "images_per_s": round(drawn / real_s, 2),
        "bare_images_per_s": round(drawn / bare_s, 2),
        "ratio": round(statistics.median(other.wall_s / own.wall_s for own, other in pairs), 3),
        "ratio_of_processor_time": round(statistics.median(other.cpu_s / own.cpu_s for own, other in pairs), 3),
        "target": TARGET,
        "rounds": rounds,
        "input": f"{settings.width}x{settings.height}x3",
        "network": settings.backbone,
        "threads": settings.threads,
        "batch_size": settings.batch_size,
        "first_model_1000_photos_s": round(_first_model_s(settings, step_s, forward_s), 1),
        "first_model_is": (
            "estimated: the measured step and forward pass times the default split's steps and passes; without reading "
            "the photos and writing the bundle (--full measures all of it)"
        ),
    }


@dataclass(frozen=True, slots=True)
class _Spent:
    """What an epoch took, by the clock and of the processors' time; other programs lengthen only the former."""

    wall_s: float
    cpu_s: float


def _spent(work: Callable[[], object]) -> _Spent:
    began_ns, began_cpu_ns = time.monotonic_ns(), time.process_time_ns()
    work()
    return _Spent((time.monotonic_ns() - began_ns) / 1e9, (time.process_time_ns() - began_cpu_ns) / 1e9)


def _batches(pixels: Pixels, truth: NDArray[np.intp], size: int) -> list[tuple[Tensor, Tensor]]:
    """Give an epoch's batches as tensors in memory."""
    steps = steps_per_epoch(len(truth), size)
    rows = np.split(np.arange(steps * size) % len(truth), steps)
    return [(torch.from_numpy(np.array(pixels[some])), torch.from_numpy(truth[some])) for some in rows]


def _learn_bare(
    model: Deployed, batches: list[tuple[Tensor, Tensor]], settings: TrainSettings, *, pretrained: bool
) -> _Spent:
    """Time learning from tensors that are in memory: forward, loss, backward, AdamW, and nothing else."""
    model.train()
    for module in model.modules():
        if pretrained and isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
    optimizer = torch.optim.AdamW([one for one in model.parameters() if one.requires_grad], lr=settings.lr)

    def learn() -> None:
        for batch, labels in batches:
            optimizer.zero_grad()
            torch.autograd.backward(nn.functional.cross_entropy(model(batch), labels))
            optimizer.step()

    return _spent(learn)


def _first_model_s(settings: TrainSettings, step_s: float, forward_s: float) -> float:
    train, validation, test = (math.ceil(share * _PHOTOS) for share in _SHARES)
    steps = settings.epochs * steps_per_epoch(train, settings.batch_size)
    passes = train + (settings.epochs + 2) * validation + 3 * test  # head; epochs, temperature, threshold; release
    return steps * step_s + passes * forward_s

"""How much of a bare loop's speed the training loop keeps, and how long a first model of 1,000 photos takes."""

from __future__ import annotations

import copy
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.deployed import Deployed
from training.fitting import MIN_DRAWS, Fitting, Pixels, score_pixels, steps_per_epoch
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
        fitting = Fitting(
            model,
            settings.model_copy(update={"epochs": rounds + 1}),
            pretrained=start.weights is not None,
            good_index=0,
        )
        real_s, bare_s = [], []
        for turn in range(rounds + 1):
            began_ns = time.monotonic_ns()
            fitting.run_epoch(pixels, truth, lambda: None)
            between_ns = time.monotonic_ns()
            fitting.close_epoch(0.0, pixels[:1], truth[:1])  # counts the epoch
            bare_taken_s = _bare_epoch(bare, pixels, truth, settings, pretrained=start.weights is not None)
            if turn:
                real_s.append((between_ns - began_ns) / 1e9)
                bare_s.append(bare_taken_s)
                say(f"throughput, round {turn} of {rounds}: {real_s[-1]:.1f} s, bare {bare_s[-1]:.1f} s")
        began_ns = time.monotonic_ns()
        score_pixels(fitting.model, pixels, settings.batch_size)
        forward_s = (time.monotonic_ns() - began_ns) / 1e9 / _IMAGES
    drawn = steps_per_epoch(_IMAGES, settings.batch_size) * settings.batch_size
    ratio = statistics.median(b / a for a, b in zip(real_s, bare_s, strict=True))
    step_s = statistics.median(real_s) / steps_per_epoch(_IMAGES, settings.batch_size)
    return {
        "images_per_s": round(drawn / statistics.median(real_s), 2),
        "bare_images_per_s": round(drawn / statistics.median(bare_s), 2),
        "ratio": round(ratio, 3),
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


def _bare_epoch(
    model: Deployed, pixels: Pixels, truth: NDArray[np.intp], settings: TrainSettings, *, pretrained: bool
) -> float:
    """Time steps on tensors that are in memory: forward, loss, backward, AdamW, and nothing else."""
    steps = steps_per_epoch(len(truth), settings.batch_size)
    rows = np.arange(steps * settings.batch_size) % len(truth)
    batches = [torch.from_numpy(pixels[some]) for some in np.split(rows, steps)]
    wanted = [torch.from_numpy(truth[some]) for some in np.split(rows, steps)]
    model.train()
    for module in model.modules():
        if pretrained and isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
    optimizer = torch.optim.AdamW([one for one in model.parameters() if one.requires_grad], lr=settings.lr)
    began_ns = time.monotonic_ns()
    for batch, labels in zip(batches, wanted, strict=True):
        optimizer.zero_grad()
        torch.autograd.backward(nn.functional.cross_entropy(model(batch), labels))
        optimizer.step()
    return (time.monotonic_ns() - began_ns) / 1e9


def _first_model_s(settings: TrainSettings, step_s: float, forward_s: float) -> float:
    train, validation, test = (math.ceil(share * _PHOTOS) for share in _SHARES)
    steps = settings.epochs * steps_per_epoch(train, settings.batch_size)
    passes = train + (settings.epochs + 2) * validation + 3 * test  # head; epochs, temperature, threshold; release
    return steps * step_s + passes * forward_s

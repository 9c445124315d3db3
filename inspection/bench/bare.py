"""The references of a benchmark: the model alone, and the model with nothing but the preparation of its frames."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle

import numpy as np
import psutil

from camera.frame import Pixels
from inspection.bench.frames import Setting
from inspection.pipeline.prepare import Slots
from models.bundle import load_bundle
from models.engines import Engine, open_engine
from models.references import resolve_bundle


@dataclass(slots=True)
class Rate:
    """Images a second, and core-milliseconds of this process and its children for one image."""

    per_s: float = 0.0
    core_ms: float = 0.0


def core_s() -> float:
    """Return the processor time that this process and its living children have used, in seconds."""
    process = psutil.Process()
    total = time.process_time()
    for child in process.children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system
    return total


@contextmanager
def measured(images: Callable[[], int], rate: Rate) -> Iterator[None]:
    """Fill `rate` with what happens inside: `images` counts them."""
    began_images, began_core_s, began_ns = images(), core_s(), time.monotonic_ns()
    yield
    taken_s, count = (time.monotonic_ns() - began_ns) * 1e-9, images() - began_images
    rate.per_s = count / taken_s
    rate.core_ms = (core_s() - began_core_s) / max(count, 1) * 1e3


def load(setting: Setting) -> Engine:
    """Open the setting's bundle on its engine, as the station does."""
    return open_engine(load_bundle(resolve_bundle(setting.bundle)), setting.engine, callers=setting.workers)


def model_alone(setting: Setting, engine: Engine, seconds: float) -> Rate:
    """Measure `workers` threads that do nothing but `run` on a full batch in memory."""
    size = engine.card.input
    shape = (setting.max_batch, size.height, size.width, size.channels)
    batch = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    return _loop(setting, seconds, lambda: lambda: engine.run(batch))


def roofline(setting: Setting, engine: Engine, frames: Sequence[Pixels], seconds: float) -> Rate:
    """Measure `workers` threads that prepare a full batch of frames in memory and run it, and nothing else."""
    size = engine.card.input

    def make() -> Callable[[], object]:
        slots = Slots(setting.max_batch, size.height, size.width, size.channels, (setting.preparer,))
        pictures = cycle(frames)

        def one() -> None:
            for slot in range(setting.max_batch):
                slots.fill(slot, next(pictures), 0, setting.pixel_format)
            engine.run(slots.batch)

        return one

    return _loop(setting, seconds, make)


def _loop(setting: Setting, seconds: float, make: Callable[[], Callable[[], object]]) -> Rate:
    counts, stopping = [0] * setting.workers, threading.Event()
    ready = threading.Barrier(setting.workers + 1)

    def work(worker: int) -> None:
        one = make()
        one()
        ready.wait()
        while not stopping.is_set():
            one()
            counts[worker] += setting.max_batch

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(setting.workers)]
    for thread in threads:
        thread.start()
    ready.wait()
    rate = Rate()
    with measured(lambda: sum(counts), rate):
        time.sleep(seconds)
    stopping.set()
    for thread in threads:
        thread.join()
    return rate


def call_ms(engine: Engine, seconds: float) -> list[float]:
    """Return how long single-image calls of one caller take, one after the other, in milliseconds."""
    size = engine.card.input
    image = np.random.default_rng(0).integers(0, 256, (1, size.height, size.width, size.channels), np.uint8)
    engine.run(image)
    taken_ms: list[float] = []
    end_ns = time.monotonic_ns() + round(seconds * 1e9)
    while (began_ns := time.monotonic_ns()) < end_ns:
        engine.run(image)
        taken_ms.append((time.monotonic_ns() - began_ns) * 1e-6)
    return taken_ms


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))

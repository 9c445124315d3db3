"""What each choice around the model is worth on this machine: the way the station goes beside the way it does not."""

from __future__ import annotations

import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Queue, SimpleQueue
from typing import Any

import cv2
import numpy as np

from camera.frame import Pixels
from inspection.pipeline.interpreter import SWITCH_INTERVAL_S
from inspection.pipeline.prepare import Region
from models.bundle import load_bundle
from models.card.graph import InputSpec
from models.engines import Engine
from models.references import resolve_bundle
from models.resize import fit
from models.session import Session

Say = Callable[[str], None]
_FRAME = (2048, 2448)  # rows, columns: the usual camera of five megapixels
_REGION = Region(600, 500, 1200, 900)
_PAUSE_S = 3.0  # as long as a belt often stands; other programs take the caches meanwhile
_PYTHON_DEFAULT_SWITCH_S = 0.005


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice and its alternative. measure: returns both figures of one round, the station's way first.

    more_is_better: True for a rate, False for a time.
    """

    chosen: str
    instead_of: str
    unit: str
    measure: Callable[[], tuple[float, float]]
    more_is_better: bool = False


def run(bundle: str, *, seconds: float, rounds: int, say: Say) -> list[dict[str, Any]]:
    """Measure both ways of every choice in turn, `rounds` times; return medians, and how many times better ours is."""
    lines = []
    for choice in _choices(bundle, seconds):
        found = [choice.measure() for _ in range(rounds)]
        ours, other = (statistics.median(column) for column in zip(*found, strict=True))
        gains = [a / b if choice.more_is_better else b / a for a, b in found]
        line = {
            "chosen": choice.chosen,
            "instead_of": choice.instead_of,
            "unit": choice.unit,
            "ours": round(ours, 4),
            "other": round(other, 4),
            "times_better": round(statistics.median(gains), 2),
        }
        say(f"{choice.chosen}: {line['ours']} {choice.unit}; {choice.instead_of}: {line['other']}")
        lines.append(line)
    return lines


def _choices(bundle: str, seconds: float) -> Iterator[Choice]:
    """Give the choices in the order of a frame's way."""
    noise = np.random.default_rng(0)
    loaded = load_bundle(resolve_bundle(bundle))
    size = loaded.card.input
    yield from _of_preparing(noise.integers(0, 256, _FRAME, np.uint8), size)
    one, wide = Session(loaded), Session(loaded, intra_op_threads=2)
    batches = {
        count: noise.integers(0, 256, (count, size.height, size.width, size.channels), np.uint8) for count in (1, 4)
    }
    yield from _of_inferring(one, wide, batches, seconds)
    yield from _of_threads(one, batches[4], seconds)


def _of_preparing(frame: Pixels, size: InputSpec) -> Iterator[Choice]:
    grey = fit(frame, size.height, size.width, 1)[:, :, 0]
    colour = np.empty((*grey.shape, 3), np.uint8)

    def to_size(pixels: Pixels) -> Callable[[], object]:
        return lambda: fit(pixels, size.height, size.width, size.channels)

    def at_once() -> object:
        return cv2.resize(frame, (size.width, size.height), interpolation=cv2.INTER_AREA)

    def broadcast() -> None:
        colour[...] = grey[:, :, np.newaxis]

    yield Choice(
        "halve by area, then area", "area at once, 5 MP grey", "ms", lambda: (_ms(to_size(frame)), _ms(at_once))
    )
    yield Choice(
        "region 1200×900 cut out first", "the whole 5 MP frame", "ms",
        lambda: (_ms(to_size(_REGION.crop(frame))), _ms(to_size(frame))),
    )  # fmt: skip
    yield Choice(
        "grey to three channels by OpenCV", "by broadcasting", "ms",
        lambda: (_ms(lambda: cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB, dst=colour)), _ms(broadcast)),
    )  # fmt: skip


def _of_inferring(one: Session, wide: Session, batches: Mapping[int, Pixels], seconds: float) -> Iterator[Choice]:
    yield Choice(
        "two callers of one thread", "one caller on two threads", "images/s",
        lambda: (_rate(one, batches[4], 2, seconds), _rate(wide, batches[4], 1, seconds)), more_is_better=True,
    )  # fmt: skip
    yield Choice(
        "batches of up to 4", "batches of 1", "images/s",
        lambda: (_rate(one, batches[4], 2, seconds), _rate(one, batches[1], 2, seconds)), more_is_better=True,
    )  # fmt: skip
    yield Choice(
        "kept warm while the line idles", f"idle for {_PAUSE_S:g} s, then a part", "ms",
        lambda: (_after_pause_ms(one, batches[1], warm=True), _after_pause_ms(one, batches[1], warm=False)),
    )  # fmt: skip


def _of_threads(one: Session, batch: Pixels, seconds: float) -> Iterator[Choice]:
    yield Choice(
        "hand-over by SimpleQueue while two infer", "by Queue, p99 to wake up", "ms",
        lambda: (_wake_up_ms(SimpleQueue(), one, batch, seconds), _wake_up_ms(Queue(), one, batch, seconds)),
    )  # fmt: skip
    yield Choice(
        "threads give way after 0.5 ms", "after 5 ms, beside busy Python, p99 to wake up", "ms",
        lambda: (_beside_python_ms(SWITCH_INTERVAL_S, seconds), _beside_python_ms(_PYTHON_DEFAULT_SWITCH_S, seconds)),
    )  # fmt: skip


def _ms(what: Callable[[], object], times: int = 30) -> float:
    """Return the median time of a call, in milliseconds."""
    what()
    taken_ns = []
    for _ in range(times):
        began_ns = time.monotonic_ns()
        what()
        taken_ns.append(time.monotonic_ns() - began_ns)
    return statistics.median(taken_ns) * 1e-6


def _rate(engine: Engine, batch: Pixels, callers: int, seconds: float) -> float:
    """Return how many images a second so many threads score."""
    counts = [0] * callers
    with _callers(engine, batch, counts):
        began, began_ns = sum(counts), time.monotonic_ns()
        time.sleep(seconds)
        return (sum(counts) - began) / (time.monotonic_ns() - began_ns) * 1e9


@contextmanager
def _callers(engine: Engine, batch: Pixels, counts: list[int]) -> Iterator[None]:
    """Have a thread for each of `counts` score the batch again and again, and count its images."""
    stopping = threading.Event()

    def work(caller: int) -> None:
        while not stopping.is_set():
            engine.run(batch)
            counts[caller] += len(batch)

    threads = [threading.Thread(target=work, args=(caller,)) for caller in range(len(counts))]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


def _after_pause_ms(engine: Engine, batch: Pixels, *, warm: bool) -> float:
    """Return the time of the first call after a pause, in which something else uses the caches."""
    end_ns = time.monotonic_ns() + round(_PAUSE_S * 1e9)
    while time.monotonic_ns() < end_ns:
        time.sleep(0.1)
        np.zeros(8_000_000, np.uint8).fill(1)
        if warm:
            engine.run(batch)
    began_ns = time.monotonic_ns()
    engine.run(batch)
    return (time.monotonic_ns() - began_ns) * 1e-6


def _wake_up_ms(queue: Any, engine: Engine, batch: Pixels, seconds: float) -> float:
    """Return the p99 of how long a thread that waits on the queue takes to wake up, while two threads infer."""
    with _callers(engine, batch, [0, 0]):
        return _p99(_woken_ms(queue, seconds))


def _beside_python_ms(switch_s: float, seconds: float) -> float:
    """Return the p99 of a wake-up beside a thread that computes in Python, at a switch interval."""
    before_s, stopping = sys.getswitchinterval(), threading.Event()

    def compute() -> None:
        while not stopping.is_set():
            sum(number * number for number in range(1000))

    busy = threading.Thread(target=compute)
    sys.setswitchinterval(switch_s)
    busy.start()
    try:
        return _p99(_woken_ms(SimpleQueue(), seconds))
    finally:
        stopping.set()
        busy.join()
        sys.setswitchinterval(before_s)


def _woken_ms(queue: Any, seconds: float) -> list[float]:
    taken_ms: list[float] = []

    def wait() -> None:
        while (sent_ns := queue.get()) is not None:
            taken_ms.append((time.monotonic_ns() - sent_ns) * 1e-6)

    waiting = threading.Thread(target=wait)
    waiting.start()
    end_ns = time.monotonic_ns() + round(seconds * 1e9)
    while time.monotonic_ns() < end_ns:
        time.sleep(0.002)
        queue.put(time.monotonic_ns())
    queue.put(None)
    waiting.join()
    return taken_ms


def _p99(values: Sequence[float]) -> float:
    return float(np.percentile(values, 99))

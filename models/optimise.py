"""Which engine runs a bundle fastest on this machine, measured, with the same scores and verdicts; kept beside it."""

from __future__ import annotations

import json
import os
import platform
import statistics
import threading
import time
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from models.bundle import Bundle
from models.engines import ONNXRUNTIME, Engine, installed, open_engine
from models.errors import BundleWriteError, ModelError

ADVANTAGE = 1.03  # another engine than ONNX Runtime has to be this much faster: less is within the noise


@dataclass(frozen=True, slots=True)
class Measured:
    """One engine here: images a second with all callers busy, the median of one call alone, or why it is refused."""

    engine: str
    provider: str = ""
    images_per_s: float = 0.0
    call_ms: float = 0.0
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """The engine that was chosen for a bundle, and for what it holds: another bundle, machine or version, no choice."""

    engine: str
    bundle_digest: str
    machine: str
    versions: dict[str, str]
    measured: tuple[Measured, ...] = ()

    def holds_for(self, bundle: Bundle) -> bool:
        """Tell whether this bundle, machine and installation are those that were measured."""
        return (self.bundle_digest, self.machine, self.versions) == (bundle.digest, machine(), versions())


def optimise(bundle: Bundle, *, callers: int, max_batch: int = 4, rounds: int = 5, seconds: float = 1.0) -> Choice:
    """Measure every installed engine in turn, `rounds` times, and choose the fastest that passes the golden vectors.

    An engine is compared with ONNX Runtime round by round, so that a neighbour on the machine slows both. Raises
    ModelError when not even ONNX Runtime runs the bundle.
    """
    engines, refused = _open_all(bundle, callers, max_batch)
    rates: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(rounds):
        for name, engine in engines.items():
            rates[name].append(throughput(engine, callers, max_batch, seconds))
    measured = [
        Measured(name, engine.provider, round(statistics.median(rates[name]), 1), round(call_ms(engine), 3))
        for name, engine in engines.items()
    ]
    chosen, best = ONNXRUNTIME, ADVANTAGE
    for name in engines:
        ratio = statistics.median(a / b for a, b in zip(rates[name], rates[ONNXRUNTIME], strict=True))
        if ratio > best:
            chosen, best = name, ratio
    return Choice(chosen, bundle.digest, machine(), versions(), (*measured, *refused))


def _open_all(bundle: Bundle, callers: int, max_batch: int) -> tuple[dict[str, Engine], list[Measured]]:
    engines, refused = {}, []
    for name in installed():
        try:
            engines[name] = open_engine(bundle, name, callers=callers, warm_sizes=range(1, max_batch + 1))
        except ModelError as error:
            if name == ONNXRUNTIME:
                raise
            refused.append(Measured(name, refused=str(error)))
    return engines, refused


def throughput(engine: Engine, callers: int, size: int, seconds: float) -> float:
    """Return images a second of so many threads that do nothing but `run` on a full batch of noise."""
    shape = engine.card.input
    batch = np.random.default_rng(0).integers(0, 256, (size, shape.height, shape.width, shape.channels), np.uint8)
    counts, ends_ns = [0] * callers, [0] * callers
    start = threading.Barrier(callers + 1)

    def call(caller: int) -> None:
        engine.run(batch)
        start.wait()
        end_ns = time.monotonic_ns() + round(seconds * 1e9)
        while (now_ns := time.monotonic_ns()) < end_ns:
            engine.run(batch)
            counts[caller] += size
        ends_ns[caller] = now_ns

    threads = [threading.Thread(target=call, args=(caller,)) for caller in range(callers)]
    for thread in threads:
        thread.start()
    start.wait()
    began_ns = time.monotonic_ns()
    for thread in threads:
        thread.join()
    return sum(counts) / ((max(ends_ns) - began_ns) * 1e-9)


def call_ms(engine: Engine, calls: int = 30) -> float:
    """Return the median milliseconds of one call with one image."""
    shape = engine.card.input
    image = np.zeros((1, shape.height, shape.width, shape.channels), np.uint8)
    taken_ms = []
    for _ in range(calls):
        began_ns = time.monotonic_ns()
        engine.run(image)
        taken_ms.append((time.monotonic_ns() - began_ns) * 1e-6)
    return statistics.median(taken_ms)


def machine() -> str:
    """Return what a measurement depends on: the processor's name and how many of its cores there are."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{name}, {os.cpu_count()} cores"


def versions() -> dict[str, str]:
    """Return the versions of the installed engines."""
    found = {}
    for name in installed():
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # installed under another package's name
            found[name] = "unknown"
    return found


def choice_path(bundle: Bundle) -> Path:
    """Return where the choice is kept: beside the bundle, whose own files are sealed by their hashes."""
    return bundle.path.parent / f"{bundle.path.name}.engine.json"


def write_choice(bundle: Bundle, choice: Choice) -> Path:
    """Keep a choice beside its bundle. Raises BundleWriteError."""
    path = choice_path(bundle)
    try:
        path.write_text(json.dumps(asdict(choice), indent=2) + "\n")
    except OSError as error:
        raise BundleWriteError(
            f"{path}: the choice of the engine cannot be written ({error.strerror or error}) — a folder that may be "
            f'written is needed — set [inference] engine = "{choice.engine}" in the station\'s configuration instead'
        ) from error
    return path


def chosen_engine(bundle: Bundle) -> str:
    """Return the engine that `optimise` chose for this bundle on this machine, ONNX Runtime where it did not."""
    try:
        kept = json.loads(choice_path(bundle).read_text())
        choice = Choice(kept["engine"], kept["bundle_digest"], kept["machine"], kept["versions"])
    except (OSError, ValueError, KeyError, TypeError):
        return ONNXRUNTIME
    return choice.engine if choice.engine in installed() and choice.holds_for(bundle) else ONNXRUNTIME

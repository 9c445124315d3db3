"""How late scheduled pulses are at the far end of the serial line, with and without inference on the same machine."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspection.ejector.errors import EjectorLostError
from inspection.ejector.options import EjectorOptions, make_ejector
from inspection.ejector.simulated import SimulatedEjector
from inspection.part import Actuation, EjectorAction
from models.bundle import load_bundle
from models.references import resolve_bundle
from models.session import open_session

Load = Callable[[], None]
PROMISED_US = 2000
LOAD_THREADS = 2
_AHEAD_NS = 250_000_000
_SHORTEST_MS, _LONGEST_MS = 5, 15
_SEED = 1
_WINDOW_MS = 1000.0  # every pulse is to be measured, however late: none may be given up


def run(pulses: int = 2000, bundle: str = "zoo:parts", load: Load | None = None) -> dict[str, Any]:
    """Measure the lateness of `pulses` default rejects (random 5–15 ms apart) twice: idle, then under load.

    Lateness: the moment at which the board at the far end of the pty has read the ON command, minus the moment at which
    the command was to be written, in µs. `written` is the same for the moment at which the ejector's process had
    handed the command to the port: the difference is the pty, whose bytes the kernel carries over in a worker of normal
    priority, as no real port does. load: a unit of work that two threads repeat as fast as they can; by default
    one inference of `bundle` each. ratio_to_idle compares the loaded run with the idle one just before it.
    """
    work = [load] * LOAD_THREADS if load is not None else [_inference(bundle) for _ in range(LOAD_THREADS)]
    idle = _measure(pulses)
    with _running(work) as repeats:
        loaded = _measure(pulses)
    ratio = {name: round(loaded[name] / max(1.0, idle[name]), 2) for name in ("p50_us", "p99_us", "p99_9_us", "max_us")}
    return {
        "pulses": pulses,
        "idle": idle,
        "loaded": {**loaded, "load": "callable" if load is not None else bundle, "load_runs": sum(repeats)},
        "ratio_to_idle": ratio,
        "outside_2ms": loaded["outside_2ms"],
    }


def _inference(bundle: str) -> Load:
    """Return one inference on a single-threaded session of its own, as the station's workers do."""
    session = open_session(load_bundle(resolve_bundle(bundle)), warm_sizes=(1,))
    size = session.card.input
    pixels = np.random.default_rng(_SEED).integers(0, 256, (1, size.height, size.width, size.channels), dtype=np.uint8)

    def infer() -> None:
        session.run(pixels)

    return infer


@contextmanager
def _running(work: list[Load]) -> Iterator[list[int]]:
    """Repeat each unit of work in a thread of its own; gives how often each ran."""
    stop = threading.Event()
    repeats = [0] * len(work)

    def repeat(index: int) -> None:
        while not stop.is_set():
            work[index]()
            repeats[index] += 1

    threads = [threading.Thread(target=repeat, args=(index,), name=f"load-{index}") for index in range(len(work))]
    for thread in threads:
        thread.start()
    try:
        yield repeats
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _measure(pulses: int) -> dict[str, Any]:
    reports: list[Actuation] = []
    ejector = make_ejector(EjectorOptions(pulse_ms=1, window_ms=_WINDOW_MS))
    assert isinstance(ejector, SimulatedEjector)
    ejector.open(reports.append, lambda _health: None)
    realtime = ejector.health().realtime
    try:
        planned_ns = _schedule(ejector, pulses)
    finally:
        ejector.close()
    seen_ns = [pulse.on_host_ns for pulse in ejector.board.pulses()]
    if len(seen_ns) != pulses:
        failed = sum(report.action is EjectorAction.FAILED for report in reports)
        raise EjectorLostError(
            f"the board saw {len(seen_ns)} of {pulses} pulses ({failed} failed) — each must arrive — "
            "run the measurement again and report it if it happens again"
        )
    at_far_end = _summary((np.array(seen_ns) - np.array(planned_ns)) / 1e3)
    written = _summary(np.array([report.lateness_us for report in reports], dtype=np.float64))
    return {**at_far_end, "written": written, "realtime": realtime}


def _summary(late_us: NDArray[np.float64]) -> dict[str, int]:
    p50, p99, p99_9 = np.percentile(late_us, (50, 99, 99.9))
    return {
        "p50_us": round(float(p50)),
        "p99_us": round(float(p99)),
        "p99_9_us": round(float(p99_9)),
        "max_us": round(float(late_us.max())),
        "outside_2ms": int((np.abs(late_us) > PROMISED_US).sum()),
    }


def _schedule(ejector: SimulatedEjector, pulses: int) -> list[int]:
    """Arm each part a quarter of a second ahead, as a station would; return when each command was to be written."""
    spacing = random.Random(_SEED)
    due_ns = time.monotonic_ns() + 2 * _AHEAD_NS
    planned_ns = []
    for part in range(pulses):
        time.sleep(max(0, due_ns - _AHEAD_NS - time.monotonic_ns()) / 1e9)
        ejector.alive()
        ejector.expect(part, due_ns)
        planned_ns.append(due_ns - ejector.lead_ns)
        due_ns += round(spacing.uniform(_SHORTEST_MS, _LONGEST_MS) * 1e6)
    return planned_ns

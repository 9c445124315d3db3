"""How far every way to run a graph lies from the model it was exported from: engines, batch sizes, threads, images."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from models.bundle import Bundle
from models.card import Card, ParityRow
from models.checks import compare_scores, largest_difference, novelty_apart
from models.engines import ONNXRUNTIME, OPENVINO, installed
from models.errors import ModelError
from models.score import beyond, defect_probability
from models.session import CPU, Given, Session

SIZES = (8, 1, 2, 4, 16)  # the first two are run on every image
THREADS = (1, 2)
_LEAST_SAMPLE = 32
_NO_PROCESSOR = frozenset({CPU, "AzureExecutionProvider"})  # the latter sends images away instead of computing


@dataclass(frozen=True, slots=True)
class Reference:
    """What the model itself says of test images: a plain value.

    pixels: uint8 (n, height, width, channels), may lie on disk. scores: float32 (n, classes). places: its map, float32
    (n, map height, map width), novelty: float32 (n,), None where it has none.
    """

    pixels: NDArray[np.uint8]
    scores: NDArray[np.float32]
    places: NDArray[np.float32] | None = None
    novelty: NDArray[np.float32] | None = None


class Runner(Protocol):
    """An opened engine."""

    provider: str

    def run_all(self, batch: NDArray[np.uint8]) -> Given:
        """Score a batch and give map and novelty where the model has them."""
        ...


@dataclass(frozen=True, slots=True)
class _Ran:
    """What an engine said of some images: scores, novelty where the model has one, how far the maps are apart."""

    scores: NDArray[np.float32]
    novelty: NDArray[np.float32] | None
    places_apart: float | None


@dataclass(frozen=True, slots=True)
class Way:
    """One way to run a bundle, by the name it is chosen by: a plain value. callers: threads that call at once."""

    engine: str
    threads: int
    callers: int
    open: Callable[[], Runner]


def ways_to_run(bundle: Bundle) -> Iterator[Way]:
    """Give every installed engine and execution provider, ONNX Runtime's CPU provider first, with 1 and 2 threads."""
    for threads in THREADS:
        yield Way(ONNXRUNTIME, threads, 1, partial(Session, bundle, intra_op_threads=threads))
    if OPENVINO in installed():
        from models.openvino_session import OpenVinoSession

        for threads in THREADS:
            yield Way(OPENVINO, threads, threads, partial(OpenVinoSession, bundle, callers=threads))
    for provider in ort.get_available_providers():
        if provider not in _NO_PROCESSOR:
            yield Way(provider, 1, 1, partial(Session, bundle, providers=(provider,)))


def measure_parity(
    bundle: Bundle, reference: Reference, *, budget_s: float, ways: Sequence[Way] | None = None
) -> tuple[ParityRow, ...]:
    """Compare every way to run a bundle with the model it was made from; one row a way and batch size.

    Every image goes through each engine in batches of 8 and, with ONNX Runtime's CPU provider, one by one. So do they
    in the other batch sizes where all this is expected to take no longer than `budget_s`; else a sample does, of at
    least 32 images that fits into it. Nothing is raised for an engine that fails: its row says why.
    """
    card, count = bundle.card, len(reference.pixels)
    ways = list(ways_to_run(bundle)) if ways is None else ways
    rows: list[ParityRow] = []
    every = np.arange(count)
    sample = every
    for way in ways:
        try:
            runner = way.open()
        except ModelError as error:
            rows.append(_unusable(way, count, str(error)))
            continue
        for size in SIZES:
            whole = way.threads == 1 and (size == SIZES[0] or (size == 1 and way.engine == ONNXRUNTIME))
            begun_ns = time.monotonic_ns()
            rows.append(_row(way, runner, size, every if whole else sample, reference, card))
            if len(rows) == 1:
                each_s = (time.monotonic_ns() - begun_ns) * 1e-9 / count
                others = len(ways) * len(SIZES) - 1
                sample = _sample(reference, card, round(budget_s / max(each_s * others, 1e-9)))
    return tuple(rows)


def _sample(reference: Reference, card: Card, wanted: int) -> NDArray[np.intp]:
    """Return the images to look at: all that there are, or half next to the threshold and half evenly spread."""
    count = len(reference.pixels)
    wanted = max(wanted, _LEAST_SAMPLE)
    if wanted >= count:
        return np.arange(count)
    good = card.classes.index(card.good_class)
    distance = np.abs(defect_probability(reference.scores, good) - card.threshold.value)
    nearest = np.argsort(distance, kind="stable")[: wanted // 2]
    others = np.setdiff1d(np.arange(count), nearest)
    spread = others[np.linspace(0, len(others) - 1, wanted - len(nearest)).astype(np.intp)]
    return np.sort(np.concatenate([nearest, spread]))


def _row(way: Way, runner: Runner, size: int, rows: NDArray[np.intp], reference: Reference, card: Card) -> ParityRow:
    try:
        ran = _run(way, runner, size, rows, reference)
    except ModelError as error:
        return _unusable(way, len(reference.pixels), str(error), provider=runner.provider, batch=size)
    limit = card.tolerance.score_abs
    good = card.classes.index(card.good_class)
    novel: tuple[NDArray[np.bool_] | None, NDArray[np.bool_] | None] = (None, None)
    novelty_off = None
    if card.novelty is not None and reference.novelty is not None and ran.novelty is not None:
        before = reference.novelty[rows]
        novel = beyond(before, card.novelty.limit), beyond(ran.novelty, card.novelty.limit)
        novelty_off = novelty_apart(before, ran.novelty)
    parity = compare_scores(
        reference.scores[rows], ran.scores, good_index=good, threshold=card.threshold.value, novel=novel
    )
    why = []
    if not parity.max_abs <= limit:
        why.append(f"scores differ by up to {parity.max_abs:.3g}, at most {limit:.3g} is allowed")
    if parity.flips:
        why.append(f"{parity.flips} of {parity.images} verdicts change, none may")
    for name, apart in (("map", ran.places_apart), ("novelty", novelty_off)):
        if apart is not None and not apart <= limit:
            why.append(f"the {name} differs by up to {apart:.3g}, at most {limit:.3g} is allowed")
    return ParityRow(
        engine=way.engine,
        provider=runner.provider,
        batch=size,
        threads=way.threads,
        images=len(rows),
        test_images=len(reference.pixels),
        max_abs=_number(parity.max_abs),
        flips=parity.flips,
        map_max_abs=None if ran.places_apart is None else _number(ran.places_apart),
        novelty_max_abs=None if novelty_off is None else _number(novelty_off),
        usable=not why,
        why=f"in batches of {size} with {way.threads} thread(s) {'; '.join(why)}" if why else "",
    )


def _run(way: Way, runner: Runner, size: int, rows: NDArray[np.intp], reference: Reference) -> _Ran:
    """Run images in full batches, the last one filled up with the first."""

    def one(start: int) -> tuple[Given, float]:
        chosen = rows[np.arange(start, start + size) % len(rows)]
        batch = np.ascontiguousarray(np.array(reference.pixels[chosen]))
        told = runner.run_all(batch)
        if reference.places is None or told.map is None:
            return told, 0.0
        return told._replace(map=None), largest_difference(reference.places[chosen], told.map)

    with ThreadPoolExecutor(way.callers) as pool:
        given = list(pool.map(one, range(0, len(rows), size)))
    novelty = [told.novelty for told, _ in given if told.novelty is not None]
    return _Ran(
        scores=np.concatenate([told.scores for told, _ in given])[: len(rows)],
        novelty=np.concatenate(novelty)[: len(rows)] if novelty else None,
        places_apart=None if reference.places is None else float(np.max([apart for _, apart in given])),
    )


def _unusable(way: Way, count: int, why: str, provider: str = "", batch: int = SIZES[0]) -> ParityRow:
    return ParityRow(
        engine=way.engine,
        provider=provider,
        batch=batch,
        threads=way.threads,
        images=0,
        test_images=count,
        usable=False,
        why=why,
    )


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None

"""A real worker over a real model: what it does with batches, bad frames, several views and idle time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from tiny_bundle import write_tiny_bundle

from inspection.part import Reason
from inspection.pipeline.batch_queue import ASIDE, BatchQueue, Job
from inspection.pipeline.prepare import Preparer, Region, Slots
from inspection.pipeline.times import ExecutionTimes
from inspection.pipeline.worker import Worker
from inspection.quality.gate import Gate
from inspection.quality.options import QualitySection
from models.bundle import load_bundle
from models.engines import Engine, open_engine

SIDE = 8


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return open_engine(load_bundle(write_tiny_bundle(tmp_path_factory.mktemp("m") / "tiny", height=SIDE, width=SIDE)))


class Outcome:
    """Collects what a worker gives back."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.raw: dict[Any, Any] = {}
        self._changed = threading.Condition()

    def done(self, jobs: Sequence[Job]) -> None:
        with self._changed:
            self.jobs += jobs
            self.raw |= {job.token: job.raw for job in jobs}
            self._changed.notify_all()

    def wait(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.jobs) >= count, 20)


def run(
    engine: Engine,
    jobs: list[Job],
    preparers: tuple[Preparer, ...],
    outcome: Outcome,
    gates: Sequence[Gate | None] = (),
) -> Worker:
    queue = BatchQueue(100, ExecutionTimes({1: 0.001}, 4), workers=1)
    failures: list[str] = []
    worker = Worker("w", queue, engine, Slots(4, SIDE, SIDE, 3, preparers), failures.append, gates)
    for job in jobs:
        assert queue.put(job)
    worker.start()
    outcome.wait(len(jobs))
    worker.stop(10)
    assert not worker.running
    assert not failures
    return worker


def far() -> int:
    return time.monotonic_ns() + 10**12


def test_views_of_other_regions_and_formats_share_a_batch(engine: Engine) -> None:
    """Each job's own preparer and pixel format make its slot; the scores are those of the same pixels alone."""
    rng, outcome = np.random.default_rng(1), Outcome()
    grey = rng.integers(0, 256, (20, 30), np.uint8)
    colour = rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    words = (grey.astype(np.uint16) << 4) + 7
    jobs = [
        Job(grey, far(), outcome.done, token="crop", view=1),
        Job(colour, far(), outcome.done, token="rgb"),
        Job(np.ascontiguousarray(colour[:, :, ::-1]), far(), outcome.done, token="bgr", pixel_format="BGR8"),
        Job(words, far(), outcome.done, token="mono12", view=1, pixel_format="Mono12"),
    ]
    worker = run(engine, jobs, (Preparer(), Preparer(Region(3, 2, SIDE, SIDE))), outcome)
    assert (worker.batches, worker.images) == (1, 4)
    np.testing.assert_allclose(outcome.raw["rgb"], engine.run(colour[None])[0], atol=1e-5)
    np.testing.assert_allclose(outcome.raw["bgr"], outcome.raw["rgb"], atol=1e-5)
    cropped = np.repeat(grey[2 : 2 + SIDE, 3 : 3 + SIDE, None], 3, axis=2)
    np.testing.assert_allclose(outcome.raw["crop"], engine.run(cropped[None])[0], atol=1e-5)
    np.testing.assert_allclose(outcome.raw["mono12"], outcome.raw["crop"], atol=1e-5)


@pytest.mark.parametrize(
    ("pixels", "pixel_format"),
    [
        (np.zeros((SIDE, SIDE), np.float32), ""),
        (np.zeros((0, SIDE), np.uint8), ""),
        (np.zeros((SIDE, SIDE, 2), np.uint8), "BayerRG12p"),
        (np.zeros((SIDE, SIDE), np.uint8), "NoSuchFormat"),
    ],
)
def test_a_frame_that_cannot_be_prepared_costs_its_own_part_only(
    engine: Engine, pixels: np.ndarray, pixel_format: str
) -> None:
    """The part is given back with the reason; the other part of the batch is scored, and the worker lives on."""
    outcome, good = Outcome(), np.zeros((SIDE, SIDE, 3), np.uint8)
    bad = Job(pixels, far(), outcome.done, token="bad", pixel_format=pixel_format)
    run(engine, [bad, Job(good, far(), outcome.done, token="good")], (Preparer(),), outcome)
    assert outcome.raw["bad"] is None
    assert bad.failure
    assert outcome.raw["good"] is not None


def test_jobs_of_one_owner_end_together_and_each_once(engine: Engine) -> None:
    """A batch of two owners: each is called once, with its own jobs in their order, and all of them have scores."""
    batches: dict[str, list[list[Any]]] = {"a": [], "b": []}
    outcome = Outcome()

    def owner(name: str) -> Callable[[Sequence[Job]], None]:
        def done(jobs: Sequence[Job]) -> None:
            batches[name].append([job.token for job in jobs])
            outcome.done(jobs)

        return done

    owners = {name: owner(name) for name in batches}
    pixels = np.random.default_rng(5).integers(0, 256, (4, SIDE, SIDE, 3), np.uint8)
    jobs = [Job(image, far(), owners["ab"[number % 2]], token=number) for number, image in enumerate(pixels)]
    run(engine, jobs, (Preparer(),), outcome)
    assert batches == {"a": [[0, 2]], "b": [[1, 3]]}
    np.testing.assert_allclose([outcome.raw[number] for number in range(4)], engine.run(pixels), atol=1e-5)


class HastyWorker(Worker):
    """A worker that keeps warm at once, so that the test need not idle for seconds."""

    _TICK_S = 0.01
    _KEEP_WARM_AFTER_NS = 0
    _KEEP_WARM_SHARE = 1e9


def test_an_idle_worker_keeps_the_model_warm(engine: Engine) -> None:
    """It infers without a part, counts that apart, and still scores the next part."""
    queue = BatchQueue(10, ExecutionTimes({1: 0.001}, 4), workers=1)
    worker = HastyWorker("w", queue, engine, Slots(4, SIDE, SIDE, 3), lambda text: None)
    worker.start()
    end_s = time.monotonic() + 20
    while not worker.kept_warm and time.monotonic() < end_s:
        threading.Event().wait(0.01)
    assert worker.kept_warm
    assert worker.images == 0
    outcome = Outcome()
    queue.put(Job(np.zeros((SIDE, SIDE, 3), np.uint8), far(), outcome.done, token=1))
    outcome.wait(1)
    worker.stop(10)
    assert worker.images == 1


def test_a_picture_outside_its_limits_is_not_scored(engine: Engine) -> None:
    """Each view by its own limits, raw or not; figures come with either; an image asked about through the API is not
    held against the limits of the line, and one that is no picture costs its own part only."""
    gates = [Gate(QualitySection(brightness_min=50)), None]
    dark, bright = np.full((SIDE, SIDE, 3), 20, np.uint8), np.full((SIDE, SIDE, 3), 120, np.uint8)
    raw = np.full((SIDE, SIDE), 20, np.uint8)
    outcome = Outcome()
    jobs = [
        Job(dark, far(), outcome.done, token="dark", pixel_format="RGB8"),
        Job(raw, far(), outcome.done, token="dark Bayer", pixel_format="BayerRG8"),
        Job(bright, far(), outcome.done, token="bright"),
        Job(dark, far(), outcome.done, token="other view", view=1),
        Job(dark, far(), outcome.done, token="aside", priority=ASIDE),
        Job(np.zeros((SIDE, SIDE), np.uint8), far(), outcome.done, token="broken", pixel_format="NoSuchFormat"),
    ]
    run(engine, jobs, (Preparer(), Preparer()), outcome, gates)
    found = {job.token: job for job in jobs}
    for token in ("dark", "dark Bayer"):
        assert found[token].raw is None
        assert found[token].failure_reason is Reason.IMAGE_QUALITY
        assert found[token].quality is not None
        assert found[token].quality.outside == ("brightness_min",)
        assert found[token].quality.figures["brightness"] == 20
    assert found["bright"].raw is not None
    assert found["bright"].quality is not None
    assert found["bright"].quality.outside == ()
    assert found["other view"].raw is not None
    assert found["aside"].raw is not None
    assert found["broken"].failure_reason is Reason.SYSTEM

"""An image that the API asks about never goes before a part of the line."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from mapped_bundle import write_mapped_bundle
from station_runs import wait_until
from tiny_bundle import write_tiny_bundle

from inspection.config import StationConfig
from inspection.control import BusyError
from inspection.engine import Engine
from inspection.pipeline.batch_queue import ASIDE, BatchQueue, Job
from inspection.pipeline.prepare import Slots
from inspection.pipeline.times import ExecutionTimes
from inspection.pipeline.worker import Worker
from models.engines import open_engine

PIXELS = np.zeros((32, 32), np.uint8)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A model whose only worker was stopped: what waits in its queue can be looked at."""
    config = StationConfig.model_validate(
        {
            "camera": {"backend": "simulated"},
            "model": {"bundle": str(write_tiny_bundle(tmp_path / "tiny"))},
            "geometry": {"travel_time_s": 1.0},
            "inference": {"workers": 1, "max_batch": 1},
            "ejector": {"driver": "simulated"},
        }
    )
    opened = Engine(config, pytest.fail)
    opened.workers[0].stop(timeout_s=10.0)
    yield opened
    opened.close()


def test_a_part_goes_before_an_image_that_was_asked_about_earlier(engine: Engine) -> None:
    """The image waits already and has the earlier deadline; the part that comes then is taken first."""
    refused: list[BusyError] = []

    def ask() -> None:
        try:
            engine.inspect(PIXELS, 30.0)
        except BusyError as error:
            refused.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    wait_until(lambda: len(engine.queue) == 1)
    given_back: list[Job] = []
    part = Job(PIXELS, time.monotonic_ns() + 300 * 10**9, lambda job, raw: given_back.append(job))
    assert engine.submit(part)
    assert engine.queue.take(0.0) == [part]
    engine.queue.drain()
    asking.join(30.0)
    assert len(refused) == 1
    assert "shutting down" in str(refused[0])
    assert given_back == []


def test_a_part_is_done_before_an_image_whose_map_is_wanted(tmp_path: Path) -> None:
    """Both lie in one batch: the part is scored first and by itself, the image then gets its map."""
    bundle = write_mapped_bundle(tmp_path / "mapped")
    session = open_engine(bundle)
    queue = BatchQueue(8, ExecutionTimes({1: 0.001, 4: 0.002}, 4), workers=1)
    worker = Worker("test", queue, session, Slots(4, 8, 8, 3), pytest.fail)
    ended: list[Job] = []
    both = threading.Event()

    def done(jobs: Sequence[Job]) -> None:
        ended.extend(jobs)
        if len(ended) == 2:
            both.set()

    picture = bundle.golden().inputs[3]
    deadline_host_ns = time.monotonic_ns() + 60 * 10**9
    image = Job(picture, deadline_host_ns, done, priority=ASIDE, wants_map=True)
    part = Job(picture, deadline_host_ns, done)
    assert queue.put(image)
    assert queue.put(part)
    worker.start()
    assert both.wait(30.0)
    worker.stop(10.0)
    assert ended == [part, image]
    assert part.map is None
    np.testing.assert_array_equal(part.raw, image.raw)
    np.testing.assert_array_equal(image.map, session.run_all(picture[None]).map[0])


def test_images_from_outside_never_take_a_parts_place(engine: Engine) -> None:
    """A queue full of images from outside still takes as many parts as it may hold."""
    late_host_ns = time.monotonic_ns() + 300 * 10**9

    def done(jobs: Sequence[Job]) -> None:
        """They are given back at the end."""

    images = [engine.submit(Job(PIXELS, late_host_ns, done, priority=ASIDE)) for _ in range(65)]
    assert images == [True] * 64 + [False]
    assert all(engine.submit(Job(PIXELS, late_host_ns, done)) for _ in range(64))

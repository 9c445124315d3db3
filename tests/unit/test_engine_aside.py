"""An image that the API asks about never goes before a part of the line."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from station_runs import wait_until
from tiny_bundle import write_tiny_bundle

from inspection.config import StationConfig
from inspection.control import BusyError
from inspection.engine import Engine
from inspection.pipeline.batch_queue import Job

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

"""What training learned of its pictures is held by the station: a picture unlike them is never judged."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from blob_photos import blob
from numpy.typing import NDArray

from inspection.config import StationConfig
from inspection.engine import Engine
from inspection.part import Reason, Verdict
from inspection.pipeline.batch_queue import Job
from models.bundle import Bundle

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def bundle(blob_bundle: Bundle) -> Bundle:
    return blob_bundle


@pytest.fixture(scope="module")
def engine(bundle: Bundle) -> Iterator[Engine]:
    """The engine of a station whose file says nothing of quality."""
    config = StationConfig.model_validate(
        {
            "camera": {"backend": "simulated"},
            "model": {"bundle": str(bundle.path)},
            "geometry": {"travel_time_s": 1.0},
            "inference": {"workers": 1, "max_batch": 1},
            "ejector": {"driver": "simulated"},
        }
    )
    opened = Engine(config, pytest.fail)
    yield opened
    opened.close()


def judged(engine: Engine, pixels: NDArray[np.uint8]) -> Job:
    """Send a part's picture through the engine as the line does."""
    done = threading.Event()
    job = Job(pixels, time.monotonic_ns() + 300 * 10**9, lambda _: done.set(), pixel_format="Mono8")
    assert engine.submit(job)
    assert done.wait(60)
    return job


def passes(engine: Engine, job: Job) -> bool:
    """Whether the part of this picture would pass."""
    return job.raw is not None and engine.judge.decide(job.raw, job.novelty).verdict is Verdict.PASS


def test_the_card_says_what_its_limits_come_from_and_cost(bundle: Bundle) -> None:
    """Half of the good training and validation pictures were held against the limits of the other half."""
    quality = bundle.card.quality
    assert quality is not None
    assert quality.learned is not None
    good = sum(bundle.card.data.counts[part]["good"] for part in ("train", "validation"))
    assert quality.learned.pieces == good
    assert quality.learned.stopped_at_most == pytest.approx(1 / (good - good // 2 + 1))
    assert quality.learned.tested == bundle.card.data.counts["test"]["good"]
    for key in ("focus_min", "brightness_min", "brightness_max", "x_min", "x_max", "y_min", "y_max", "uneven_max"):
        assert getattr(quality, key) is not None, key


def test_good_parts_like_those_of_the_training_are_judged(engine: Engine) -> None:
    """Of 40 that nobody has seen no more are stopped than the bound allows by far, and those that are judged pass."""
    jobs = [judged(engine, blob("good", seed)) for seed in range(2000, 2040)]
    assert sum(job.raw is None for job in jobs) <= 3
    assert sum(passes(engine, job) for job in jobs) >= 34


def _defocused(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return cv2.GaussianBlur(picture, (0, 0), 2.5).astype(np.uint8)


def _shifted(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    moved = np.full_like(picture, 40)
    moved[:, 14:] = picture[:, :-14]
    return moved


@pytest.mark.parametrize(
    ("change", "limits"),
    [
        (np.zeros_like, {"focus_min", "brightness_min", "dark_max"}),
        (_defocused, {"focus_min"}),
        (_shifted, {"x_max", "uneven_max"}),
        (lambda picture: np.full_like(picture, 255), {"brightness_max", "saturated_max"}),
        (lambda picture: 255 - picture, {"uneven_max", "brightness_max"}),
    ],
)
def test_a_picture_unlike_those_of_the_training_never_passes(engine: Engine, change: object, limits: set[str]) -> None:
    """Black, defocused, shifted, burnt out, inverted: not scored, for the reason that it has."""
    for seed in range(3000, 3010):
        job = judged(engine, np.ascontiguousarray(change(blob("good", seed))))  # type: ignore[operator]
        assert job.raw is None
        assert job.failure_reason is Reason.IMAGE_QUALITY
        assert limits & set(job.failure.split(", ")), job.failure
        assert not passes(engine, job)

"""The threads that read codes: in the order of deadlines, bounded, and every part is given back exactly once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from coded_belt import code_image, on_part
from station_runs import wait_until

from inspection.config.identity import IdentitySection
from inspection.identity.words import Reading
from inspection.identity.workers import CodeWorkers, reading_of
from inspection.pipeline.batch_queue import Job

FAR_NS = 60 * 10**9


class Given:
    """What came back, in the order in which it did."""

    def __init__(self) -> None:
        self.readings: list[tuple[Any, Reading]] = []

    def take(self, jobs: Sequence[Job]) -> None:
        self.readings += [(job.token, reading_of(job)) for job in jobs]

    def job(self, token: object, pixels: Any, ahead_ns: int = FAR_NS, pixel_format: str = "Mono8") -> Job:
        return Job(pixels, time.monotonic_ns() + ahead_ns, self.take, token=token, pixel_format=pixel_format)


@pytest.fixture
def failures() -> list[str]:
    """What the owner was told."""
    return []


@pytest.fixture
def workers(failures: list[str]) -> Iterator[CodeWorkers]:
    """One thread, four places; not begun."""
    section = IdentitySection.model_validate({"source": "code", "queue_capacity": 4})
    workers = CodeWorkers(section, failures.append)
    yield workers
    workers.stop(5.0)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("codes-")]


def test_the_nearest_deadline_goes_first_and_a_full_queue_refuses(workers: CodeWorkers) -> None:
    """Four wait, the fifth is the caller's to reject; one whose time is over comes back as late, unread."""
    given, picture = Given(), on_part(code_image("LW-1"))
    aheads = {"last": FAR_NS, "first": FAR_NS // 4, "gone": -1, "second": FAR_NS // 2}
    assert [workers.submit(given.job(name, picture, ahead)) for name, ahead in aheads.items()] == [True] * 4
    assert not workers.submit(given.job("fifth", picture))
    workers.start()
    wait_until(lambda: len(given.readings) == 4)
    read = [name for name, reading in given.readings if reading.serial == "LW-1"]
    assert read == ["first", "second", "last"]
    gone = dict(given.readings)["gone"]
    assert (gone.is_late, gone.serial, gone.why) == (True, "", "no time was left to read its code")
    assert workers.read == 3


def test_a_frame_that_cannot_be_looked_at_costs_its_own_part(workers: CodeWorkers, failures: list[str]) -> None:
    """A format that nobody knows is that part's failure; the thread goes on with the next one."""
    given = Given()
    workers.start()
    workers.submit(given.job("strange", np.zeros((4, 4), np.uint8), pixel_format="Coord3D_C16"))
    workers.submit(given.job("sound", on_part(code_image("LW-1"))))
    wait_until(lambda: len(given.readings) == 2)
    strange, sound = dict(given.readings)["strange"], dict(given.readings)["sound"]
    assert (strange.has_failed, strange.serial) == (True, "")
    assert "Coord3D_C16" in strange.why
    assert sound.serial == "LW-1"
    assert failures == []


def test_an_error_that_nobody_foresaw_ends_the_thread_and_is_told(workers: CodeWorkers, failures: list[str]) -> None:
    """The part in hand comes back as failed; the owner is told and sees that the thread has ended."""
    given = Given()
    workers.start()
    workers.submit(given.job("no pixels", None))
    wait_until(lambda: bool(failures) and bool(given.readings))
    assert "reading codes: AttributeError" in failures[0]
    assert given.readings[0][1].has_failed
    wait_until(lambda: workers.ended)


def test_what_waits_when_the_station_ends_is_given_back(workers: CodeWorkers) -> None:
    """No part is left without an answer: failed, which no policy lets pass."""
    given = Given()
    workers.submit(given.job("waiting", on_part(code_image("LW-1"))))
    workers.stop(5.0)
    assert [(name, reading.has_failed) for name, reading in given.readings] == [("waiting", True)]

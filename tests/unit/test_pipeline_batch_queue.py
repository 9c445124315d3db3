"""The deadline-aware queue: bounded, fair, and every job done exactly once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from inspection.part import Reason
from inspection.pipeline.batch_queue import BatchQueue, Job
from inspection.pipeline.times import ExecutionTimes

PIXELS = np.zeros((2, 2), np.uint8)
FAR_NS = 10**12


def _job(number: int, done: list[tuple[int, Any]], slack_ns: int = FAR_NS) -> Job:
    def note(jobs: Sequence[Job]) -> None:
        done.extend((job.token, job.raw) for job in jobs)

    return Job(PIXELS, time.monotonic_ns() + slack_ns, note, token=number)


def _queue(capacity: int = 100, max_size: int = 4, workers: int = 1) -> BatchQueue:
    return BatchQueue(capacity, ExecutionTimes({1: 0.01, 2: 0.02, 4: 0.04}, max_size), workers)


def test_a_free_worker_gets_what_is_there_at_once() -> None:
    """A single waiting part is a batch: nobody waits for company."""
    queue, done = _queue(), []
    queue.put(_job(1, done))
    assert [job.token for job in queue.take(5.0)] == [1]


def test_a_batch_closes_when_full() -> None:
    """No batch is larger than the maximum, and the order of arrival is kept."""
    queue, done = _queue(max_size=4), []
    for number in range(6):
        queue.put(_job(number, done))
    assert [job.token for job in queue.take(0.1)] == [0, 1, 2, 3]
    assert [job.token for job in queue.take(0.1)] == [4, 5]


def test_a_batch_closes_on_the_slack_of_its_oldest_part() -> None:
    """Three would take 40 ms by the table; the oldest part has 30 ms left, so two are taken."""
    queue, done = _queue(), []
    queue.put(_job(0, done, slack_ns=30_000_000))
    for number in (1, 2, 3):
        queue.put(_job(number, done))
    assert len(queue.take(0.1)) == 2


def test_parts_are_shared_between_workers() -> None:
    """With two workers each takes half of what waits, rather than one taking all."""
    queue, done = _queue(workers=2), []
    for number in range(4):
        queue.put(_job(number, done))
    assert len(queue.take(0.1)) == 2
    assert len(queue.take(0.1)) == 1


def test_a_part_without_time_is_given_back_and_the_next_one_served() -> None:
    """A hopeless part is LATE at once and costs the part behind it nothing."""
    queue, done = _queue(), []
    hopeless = _job(0, done, slack_ns=1_000_000)
    queue.put(hopeless)
    queue.put(_job(1, done))
    assert [job.token for job in queue.take(0.1)] == [1]
    assert done == [(0, None)]
    assert hopeless.failure_reason is Reason.LATE
    assert queue.hopeless == 1


def test_a_full_queue_refuses_and_counts() -> None:
    """Capacity is a promise: one more is refused, nothing is dropped silently."""
    queue, done = _queue(capacity=2), []
    assert [queue.put(_job(number, done)) for number in range(3)] == [True, True, False]
    assert (queue.refused, queue.peak) == (1, 2)


def test_every_job_is_taken_once_by_competing_workers() -> None:
    """Four workers and 400 jobs: each job comes out exactly once, and every worker can be woken to end."""
    queue, done = _queue(capacity=1000, workers=4), []
    taken: Counter[int] = Counter()
    lock = threading.Lock()
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            batch = queue.take(5.0)
            with lock:
                taken.update(job.token for job in batch)
                if sum(taken.values()) == 400:
                    stop.set()
                    for _ in range(4):
                        queue.wake()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(400):
        queue.put(_job(number, done))
    for thread in threads:
        thread.join(20)
    assert taken == Counter(range(400))
    assert not any(thread.is_alive() for thread in threads)


def test_draining_gives_every_job_back() -> None:
    """At shutdown nothing that waits is forgotten."""
    queue, done = _queue(), []
    for number in range(3):
        queue.put(_job(number, done))
    queue.wake()
    queue.drain()
    assert done == [(0, None), (1, None), (2, None)]

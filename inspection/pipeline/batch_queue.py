"""The deadline-aware queue between frames and inference: a batch closes on size, or on the slack of its oldest part."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from camera.frame import Pixels
from inspection.part import Reason
from inspection.pipeline.times import ExecutionTimes


@dataclass(slots=True)
class Job:
    """One image to score before a deadline. `done(job, raw)` is called exactly once, on a worker's thread.

    raw: the model's raw scores of this image, (classes,), or None when it could not be scored in time or at all.
    """

    pixels: Pixels
    deadline_host_ns: int
    done: Callable[[Job, Any], None]
    token: Any = None
    batch_host_ns: int = 0
    failure: str = ""
    failure_reason: Reason = Reason.SYSTEM


class BatchQueue:
    """Parts wait here while every worker is busy; a free worker takes them at once, never waiting for more.

    Parts of one line arrive in the order of their deadlines, so first-in-first-out is earliest-deadline-first. A batch
    closes when it is full, when the queue is empty, when the other workers' share begins, or when one part more would
    cost the oldest part its deadline. A part that cannot be scored in time any more is given back unscored, so that an
    overload costs the parts that it hits and not every part after them. Overflow policy: refuse.
    """

    def __init__(
        self, capacity: int, times: ExecutionTimes, workers: int, now: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self.capacity = capacity
        self.times = times
        self.workers = workers
        self._now = now
        self.peak = 0
        self.refused = 0
        self.hopeless = 0
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._room = threading.Condition()
        self._waiting_for_room = False

    def __len__(self) -> int:
        return self._jobs.qsize()

    def put(self, job: Job) -> bool:
        """Add a job; False when the queue is full and the job was refused (it is the caller's to reject)."""
        waiting = self._jobs.qsize()
        if waiting >= self.capacity:
            self.refused += 1
            return False
        self.peak = max(self.peak, waiting + 1)
        self._jobs.put(job)
        return True

    def take(self, timeout_s: float) -> list[Job]:
        """Wait for work and return one batch (1…max_size jobs); empty after `timeout_s`, or when woken to stop."""
        try:
            oldest = self._jobs.get(timeout=timeout_s)
        except Empty:
            return []
        while oldest is not None:
            slack_s = (oldest.deadline_host_ns - self._now()) * 1e-9
            share = -(-(self._jobs.qsize() + 1) // self.workers)
            size = self.times.largest_within(slack_s, share)
            if size:
                return self._collect(oldest, size)
            self._give_up(oldest)
            try:
                oldest = self._jobs.get_nowait()
            except Empty:
                return []
        return []

    def _collect(self, oldest: Job, size: int) -> list[Job]:
        batch = [oldest]
        while len(batch) < size:
            try:
                job = self._jobs.get_nowait()
            except Empty:
                break
            if job is None:
                self._jobs.put(None)
                break
            batch.append(job)
        taken_host_ns = self._now()
        for job in batch:
            job.batch_host_ns = taken_host_ns
        if self._waiting_for_room:
            with self._room:
                self._room.notify_all()
        return batch

    def wait_for_room(self, timeout_s: float) -> bool:
        """Wait until every worker's next batch is no longer waiting; for a source that may be held up, and no other."""
        shallow = self.workers * self.times.max_size
        with self._room:
            self._waiting_for_room = True
            has_room = self._room.wait_for(lambda: self._jobs.qsize() < shallow, timeout_s)
            self._waiting_for_room = False
        return has_room

    def _give_up(self, job: Job) -> None:
        self.hopeless += 1
        self.times.forget()
        job.failure = "no time left to score it"
        job.failure_reason = Reason.LATE
        job.done(job, None)

    def wake(self) -> None:
        """Let one waiting worker return, so that it can notice that it should stop."""
        self._jobs.put(None)

    def drain(self) -> None:
        """Give every waiting job back unscored (the station is shutting down)."""
        while True:
            try:
                job = self._jobs.get_nowait()
            except Empty:
                return
            if job is not None:
                job.failure = "the station is shutting down"
                job.done(job, None)

"""The deadline-aware queue between frames and inference: a batch closes on size, or on the slack of its oldest part."""

from __future__ import annotations

import threading
import time
from bisect import insort
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from queue import Empty, SimpleQueue
from typing import Any

from camera.frame import Pixels
from camera.geometry.pose import Pose
from inspection.part import Reason
from inspection.pipeline.times import ExecutionTimes
from inspection.quality.gate import Finding

Clock = Callable[[], int]

PART, ASIDE = 0, 1
"""Priorities: a part of the line goes before an image that somebody asks about through the API."""


@dataclass(slots=True)
class Job:
    """One image to score before a deadline. `done` is called exactly once for it, on a worker's thread.

    done: takes the jobs that ended together and have the same one, in their order in the batch.
    raw: the model's raw scores of this image, (classes,), or None when it could not be scored in time or at all.
    batch_size, batch_place: how many images its call of the model had, and which one it was; 0 where there was none.
    novelty: how far the model holds this image to be off those of its training, None where it does not tell.
    view: which preparer crops and converts the pixels. pixel_format: PFNC name of raw pixels, '' for an image.
    quality: what the gate in front of the model found, None where no limit is held.
    pose: how the part lay in it, where that is looked for. located: False where it was not found.
    priority: PART, or ASIDE for an image that is no part of the line; it only decides who waits while there is not
    enough time for all.
    input: what the model got of this image, uint8 (height, width, channels); a view of the worker's own memory, which
    holds it until `done` returns.
    wants_map: the model's map is asked for, too; it goes into `map`, (height, width), where the model has one.
    """

    pixels: Pixels
    deadline_host_ns: int
    done: Callable[[Sequence[Job]], None]
    token: Any = None
    view: int = 0
    pixel_format: str = ""
    priority: int = PART
    wants_map: bool = False
    batch_host_ns: int = 0
    batch_size: int = 0
    batch_place: int = 0
    raw: Any = None
    novelty: float | None = None
    input: Any = None
    map: Any = None
    failure: str = ""
    failure_reason: Reason = Reason.SYSTEM
    quality: Finding | None = None
    pose: Pose | None = None
    located: bool = True


def end_jobs(jobs: list[Job]) -> None:
    """Tell the owners of jobs that these have ended, those of one owner at once; they leave the list before."""
    while jobs:
        done = jobs[0].done
        together = [job for job in jobs if job.done == done]
        jobs[:] = [job for job in jobs if job.done != done]
        done(together)


@dataclass(slots=True)
class _Waiting:
    """The jobs of one priority, the earliest deadline on top of the heap; used under the queue's lock."""

    priority: int
    heap: list[tuple[int, int, Job]] = field(default_factory=list)


class BatchQueue:
    """Parts wait here while every worker is busy; a free worker takes them at once, never waiting for more.

    Within a priority the earliest deadline goes first, whatever the order of arrival; a lower priority gets what is
    left. A batch closes when it is full, when the queue is empty, when the other workers' share begins, or when one
    part more would cost any part of it its deadline. A part of any priority that cannot be scored in time any more is
    given back unscored (LATE) and counted, so that an overload costs the parts that it hits and not every part after
    them, and nothing waits for ever. Overflow policy: refuse; each priority has the whole capacity to itself, so that
    images from outside never take a part's place.

    `now` is the clock of the deadlines. `take(0.0)` never waits: with a clock of one's own a single thread can drive
    the queue, and what it does depends on the clock and the order of the calls alone.
    """

    def __init__(self, capacity: int, times: ExecutionTimes, workers: int, now: Clock = time.monotonic_ns) -> None:
        self.capacity = capacity
        self.times = times
        self.workers = workers
        self.peak = 0
        self.refused = 0
        self.hopeless = 0
        self.hopeless_by_priority: Counter[int] = Counter()
        self._now = now
        self._lines: list[_Waiting] = []
        self._by_priority: dict[int, _Waiting] = {}
        self._size = 0
        self._arrivals = 0
        self._lock = threading.Lock()
        self._tokens: SimpleQueue[bool] = SimpleQueue()  # True: a job came; False: return and look whether to stop
        self._room = threading.Condition()
        self._waiting_for_room = False

    def __len__(self) -> int:
        return self._size

    def put(self, job: Job) -> bool:
        """Add a job; False when the queue is full and the job was refused (it is the caller's to reject)."""
        with self._lock:
            line = self._by_priority.get(job.priority)
            if line is None:
                line = self._by_priority[job.priority] = _Waiting(job.priority)
                insort(self._lines, line, key=lambda waiting: waiting.priority)
            if len(line.heap) >= self.capacity:
                self.refused += 1
                return False
            self._arrivals += 1
            heappush(line.heap, (job.deadline_host_ns, self._arrivals, job))
            self._size += 1
            if self._size > self.peak:
                self.peak = self._size
        self._tokens.put(True)
        return True

    def take(self, timeout_s: float) -> list[Job]:
        """Wait for work and return one batch (1…max_size jobs); empty after `timeout_s`, or when woken to stop."""
        try:
            has_work = self._tokens.get_nowait() if timeout_s <= 0 else self._tokens.get(timeout=timeout_s)
        except Empty:
            return []
        if not has_work:
            return []
        with self._lock:
            now_host_ns = self._now()
            hopeless = self._pop_hopeless(now_host_ns)
            batch = self._pop_batch(now_host_ns)
            self._drop_tokens(len(hopeless) + len(batch) - 1)
        end_jobs(hopeless)
        if self._waiting_for_room:
            with self._room:
                self._room.notify_all()
        return batch

    def _pop_hopeless(self, now_host_ns: int) -> list[Job]:
        """Take out what not even a batch of one would finish in time."""
        last_host_ns = now_host_ns + round(self.times.expected_s(1) * 1e9)
        hopeless = []
        for line in self._lines:
            while line.heap and line.heap[0][0] < last_host_ns:
                job = heappop(line.heap)[2]
                job.failure = "no time left to score it"
                job.failure_reason = Reason.LATE
                self.hopeless_by_priority[line.priority] += 1
                self.times.doubt()
                hopeless.append(job)
        self.hopeless += len(hopeless)
        self._size -= len(hopeless)
        return hopeless

    def _pop_batch(self, now_host_ns: int) -> list[Job]:
        """Take the parts that go next; called under the lock, when nothing hopeless waits."""
        share = min(-(-self._size // self.workers), self.times.max_size)
        batch: list[Job] = []
        slack_s = float("inf")
        for line in self._lines:
            while line.heap and len(batch) < share:
                slack_s = min(slack_s, (line.heap[0][0] - now_host_ns) * 1e-9)
                if batch and self.times.expected_s(len(batch) + 1) > slack_s:
                    share = len(batch)
                    break
                job = heappop(line.heap)[2]
                job.batch_host_ns = now_host_ns
                batch.append(job)
        self._size -= len(batch)
        return batch

    def _drop_tokens(self, count: int) -> None:
        """Take the tokens of jobs that went without waiting for them; one that means stop is put back."""
        for _ in range(count):
            try:
                is_job = self._tokens.get_nowait()
            except Empty:  # its `put` has not got to the token yet: a take that finds nothing
                return
            if not is_job:
                self._tokens.put(False)
                return

    def wait_for_room(self, timeout_s: float) -> bool:
        """Wait until every worker's next batch is no longer waiting; for a source that may be held up, and no other."""
        shallow = min(self.workers * self.times.max_size, self.capacity)
        if self._size < shallow:
            return True
        with self._room:
            self._waiting_for_room = True
            has_room = self._room.wait_for(lambda: self._size < shallow, timeout_s)
            self._waiting_for_room = False
        return has_room

    def wake(self) -> None:
        """Let one waiting worker return, so that it can notice that it should stop."""
        self._tokens.put(False)

    def drain(self) -> None:
        """Give every waiting job back unscored (the station is shutting down)."""
        with self._lock:
            jobs = [entry[2] for line in self._lines for entry in line.heap]
            for line in self._lines:
                line.heap.clear()
            self._size = 0
        for job in jobs:
            job.failure = "the station is shutting down"
        end_jobs(jobs)

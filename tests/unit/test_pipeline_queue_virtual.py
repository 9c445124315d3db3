"""The queue under a clock of the test's own, one thread, any order of calls: what it promises holds at every step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from inspection.part import Reason
from inspection.pipeline.batch_queue import BatchQueue, Job
from inspection.pipeline.times import ExecutionTimes

PIXELS = np.zeros((1, 1), np.uint8)
MS = 1_000_000
TABLE_S = {1: 0.010, 2: 0.015, 4: 0.025}
MAX_SIZE, CAPACITY, WORKERS = 4, 12, 2


class QueueInVirtualTime(RuleBasedStateMachine):
    """Puts, takes and passing time in any order; each job is given back or handed out exactly once."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ns = 0
        self.times = ExecutionTimes(TABLE_S, MAX_SIZE)
        self.queue = BatchQueue(CAPACITY, self.times, WORKERS, now=lambda: self.now_ns)
        self.waiting: dict[int, Job] = {}
        self.outcomes: Counter[int] = Counter()
        self.number = 0

    def _done(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            assert job.raw is None
            self.outcomes[job.token] += 1
            del self.waiting[job.token]

    @rule(slack_ms=st.integers(-5, 120), priority=st.integers(0, 2))
    def put(self, slack_ms: int, priority: int) -> None:
        """A priority that is full refuses, and only that: none takes the place of another."""
        self.number += 1
        job = Job(PIXELS, self.now_ns + slack_ms * MS, self._done, token=self.number, priority=priority)
        was_full = sum(job.priority == priority for job in self.waiting.values()) == CAPACITY
        assert self.queue.put(job) is not was_full
        if not was_full:
            self.waiting[job.token] = job

    @rule(step_ms=st.integers(1, 60))
    def wait(self, step_ms: int) -> None:
        """Time passes."""
        self.now_ns += step_ms * MS

    @rule()
    def take(self) -> None:
        """A batch holds what is most urgent of the highest priority, and nothing in it misses its deadline by it."""
        before = dict(self.waiting)
        batch = self.queue.take(0.0)
        late = [job for token, job in before.items() if token not in self.waiting]
        for job in late:
            assert job.deadline_host_ns < self.now_ns + round(self._one_s * 1e9)
            assert job.failure_reason is Reason.LATE
        left = [job for token, job in before.items() if token in self.waiting]
        assert bool(batch) == bool(left)
        if not batch:
            return
        assert len(batch) <= min(MAX_SIZE, -(-len(left) // WORKERS))
        order = sorted(left, key=lambda job: (job.priority, job.deadline_host_ns, job.token))
        assert [job.token for job in batch] == [job.token for job in order[: len(batch)]]
        takes_ns = self.times.expected_s(len(batch)) * 1e9
        if len(batch) > 1:
            assert all(job.deadline_host_ns - self.now_ns >= takes_ns - 1 for job in batch)
        for job in batch:
            assert job.batch_host_ns == self.now_ns
            self.outcomes[job.token] += 1
            del self.waiting[job.token]

    @rule()
    def drain(self) -> None:
        """Everything that waits is given back."""
        self.queue.drain()
        assert not self.waiting

    @property
    def _one_s(self) -> float:
        return self.times.expected_s(1)

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        """Every job so far was handed out or given back once, waits, or was refused at the door."""
        assert len(self.queue) == len(self.waiting)
        assert all(count == 1 for count in self.outcomes.values())
        assert len(self.outcomes) + len(self.waiting) + self.queue.refused == self.number
        assert sum(self.queue.hopeless_by_priority.values()) == self.queue.hopeless

    def teardown(self) -> None:
        """In the end nothing is left behind."""
        while self.queue.take(0.0):
            pass
        self.queue.drain()
        assert len(self.queue) == 0


TestQueueInVirtualTime = QueueInVirtualTime.TestCase
TestQueueInVirtualTime.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def _queue(now_ns: list[int], workers: int = 1) -> BatchQueue:
    return BatchQueue(100, ExecutionTimes(TABLE_S, MAX_SIZE), workers, now=lambda: now_ns[0])


def _job(number: int, deadline_ms: int, priority: int = 0) -> Job:
    return Job(PIXELS, deadline_ms * MS, lambda jobs: None, token=number, priority=priority)


def test_taking_without_waiting_never_waits() -> None:
    """take(0.0) on an empty queue is empty at once, and a later job is there at once."""
    queue = _queue([0])
    assert queue.take(0.0) == []
    queue.put(_job(1, 1000))
    assert [job.token for job in queue.take(0.0)] == [1]
    assert queue.take(0.0) == []


def test_a_lower_priority_is_given_back_when_it_starves() -> None:
    """While the first line takes all the time, the second line's part is late at its deadline, and counted."""
    now_ns = [0]
    queue = _queue(now_ns)
    starving = _job(0, deadline_ms=60, priority=1)
    queue.put(starving)
    for number in range(1, 30):
        queue.put(_job(number, deadline_ms=1000))
    while not starving.failure:
        assert all(job.priority == 0 for job in queue.take(0.0))
        now_ns[0] += 25 * MS
        assert now_ns[0] <= 100 * MS
    assert starving.failure_reason is Reason.LATE
    assert dict(queue.hopeless_by_priority) == {1: 1}


def test_one_stall_does_not_make_every_later_part_hopeless() -> None:
    """After a batch that took a minute, parts with a second of slack are late for a while, and then scored again."""
    now_ns = [0]
    times = ExecutionTimes(TABLE_S, MAX_SIZE)
    queue = BatchQueue(100, times, 1, now=lambda: now_ns[0])
    for _ in range(12):
        times.observe(1, 60.0)
    assert times.expected_s(1) > 20
    given_up = 0
    for number in range(1000):
        queue.put(_job(number, now_ns[0] // MS + 1000))
        if queue.take(0.0):
            break
        given_up += 1
        now_ns[0] += 100 * MS
    assert 0 < given_up < 400
    assert queue.hopeless == given_up

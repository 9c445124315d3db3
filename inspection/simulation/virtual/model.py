"""The virtual model: pictures that know which part they show, a pool of workers, and a judge that remembers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspection.part import Decision
from inspection.pipeline.batch_queue import BatchQueue, Job, end_jobs
from inspection.pipeline.decide import Judge
from inspection.pipeline.times import ExecutionTimes
from inspection.simulation.virtual.agenda import Agenda
from inspection.simulation.virtual.belt import Piece
from inspection.simulation.virtual.plan import Plan

LEVELS = 64
EMPTY_LEVEL = LEVELS - 1
"""What the model finds on a picture of the bare belt."""


def raw_scores(level: int) -> NDArray[np.float32]:
    """Return the raw scores of a level: 0 surely good … LEVELS − 1 surely bad, the threshold 0.5 in the middle."""
    return np.array([(LEVELS / 2 - 0.5 - level) / 4, 0.0], dtype=np.float32)


RAW = [raw_scores(level) for level in range(LEVELS)]


class Remembered(Judge):
    """The station's judge, asked once for each of the model's few answers: it is a pure function of them."""

    def decide(self, raw: Any, _novelty: float | None = None, /) -> Decision:
        """Return what the judge says of the scores of a level."""
        level: int = raw
        return _decided(self.threshold)[level]


_DECISIONS: dict[float, list[Decision]] = {}


def _decided(threshold: float) -> list[Decision]:
    known = _DECISIONS.get(threshold)
    if known is None:
        judge = Judge(("good", "bad"), 0, threshold)
        known = _DECISIONS[threshold] = [judge.decide(raw) for raw in RAW]
    return known


def passes(plan: Plan, levels: tuple[int, ...]) -> bool:
    """Return what the model and the recipe's rule make of a part's views, apart from the station."""
    scores = [_decided(plan.THRESHOLD)[level].score or 0.0 for level in levels]
    if plan.rule == "any":
        return max(scores) < plan.THRESHOLD
    return sum(scores) / len(scores) < plan.THRESHOLD


@dataclass(slots=True, eq=False)
class Picture:
    """One exposure, in place of its pixels. piece: what is really on it, None for the bare belt."""

    piece: Piece | None
    view: int
    broken: bool = False  # it cannot be prepared for the model
    shape: tuple[int, ...] = (1, 1)
    nbytes: int = 1
    ndim: int = 2


class Pool:
    """The workers of one station's life. `slow` stretches the model's time, `stalled` stops it.

    post: hands an event to the station, which may be frozen or dead by then.
    """

    def __init__(self, agenda: Agenda, random: Random, plan: Plan, post: Callable[[Callable[[], None]], None]) -> None:
        first_s = plan.batch_ms * 1e-3
        self._agenda = agenda
        self._random = random
        self._post = post
        self._exact_s = [first_s * (1 + 0.8 * (size - 1)) for size in range(plan.max_batch + 1)]
        measured = {size: self._exact_s[size] for size in range(1, plan.max_batch + 1)}
        self.queue = BatchQueue(
            plan.queue_capacity, ExecutionTimes(measured, plan.max_batch), plan.workers, agenda.clock
        )
        self._idle = plan.workers
        self._asked = False
        self.slow = 1.0
        self.stalled_until_ns = 0

    def submit(self, job: Job) -> bool:
        """Queue a picture; False when the queue is full."""
        if not self.queue.put(job):
            return False
        if self._idle and not self._asked:
            self._asked = True
            self._agenda.after(0, partial(self._post, self._serve))
        return True

    def _serve(self) -> None:
        """Give every idle worker a batch, as long as there is one."""
        self._asked = False
        while self._idle and len(self.queue):
            batch = self.queue.take(0.0)
            if not batch:
                continue
            self._idle -= 1
            stretch = self.slow * (0.9 + 0.2 * self._random.random() + 0.2 * self._random.random() ** 8)
            took_ns = round(self._exact_s[len(batch)] * stretch * 1e9)
            took_ns += max(0, self.stalled_until_ns - self._agenda.now_ns)
            self._agenda.after(took_ns, partial(self._post, partial(self._scored, batch, took_ns)))

    def _scored(self, batch: list[Job], took_ns: int) -> None:
        self._idle += 1
        self.queue.times.observe(len(batch), took_ns * 1e-9)
        scored = []
        for job in batch:
            picture: Any = job.pixels
            if picture.broken:
                job.failure = "a picture that cannot be prepared"
                end_jobs([job])
                continue
            piece = picture.piece
            if piece is None:
                job.raw = EMPTY_LEVEL
            else:
                piece.views_scored |= 1 << picture.view
                job.raw = piece.view_scores[picture.view]
            scored.append(job)
        end_jobs(scored)
        self._serve()

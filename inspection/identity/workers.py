"""Reading codes beside the model: threads of their own, so that no part waits for the code of another one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from inspection.config.identity import IdentitySection
from inspection.identity.codes import CodeReader
from inspection.identity.words import Reading, Source
from inspection.part import Reason
from inspection.pipeline.batch_queue import BatchQueue, Job, end_jobs
from inspection.pipeline.times import ExecutionTimes

_FIRST_S = 0.001  # what reading is taken to last before anything was read


class CodeWorkers:
    """Reads the codes of parts in the order of their deadlines. Owned by the engine, with its life.

    Each job's `raw` is its Reading. A part whose time is over before anybody looked is given back as late, and one that
    finds no room is refused: both are rejected for LATE. An error that nobody foresaw is told to the owner
    (`on_failure`) and ends the thread, after the part in hand was given back.
    """

    _TICK_S = 0.2

    def __init__(self, section: IdentitySection, on_failure: Callable[[str], None]) -> None:
        """Raises CodesMissingError."""
        self._reader = CodeReader(section)
        self._on_failure = on_failure
        self._stopping = False
        self.read = 0
        self.queue = BatchQueue(section.queue_capacity, ExecutionTimes({1: _FIRST_S}, 1), section.workers)
        self._threads = [
            threading.Thread(target=self._run, name=f"codes-{number}", daemon=True) for number in range(section.workers)
        ]

    def start(self) -> None:
        """Begin to read."""
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> bool:
        """Queue the picture of one part; False when the queue is full."""
        return self.queue.put(job)

    @property
    def ended(self) -> bool:
        """True when a thread has ended although nobody stopped it."""
        return not self._stopping and not all(thread.is_alive() for thread in self._threads)

    def stop(self, timeout_s: float) -> None:
        """Finish what is in hand, and give the rest back unread; bounded by `timeout_s` for each thread."""
        self._stopping = True
        for _ in self._threads:
            self.queue.wake()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(timeout_s)
        self.queue.drain()

    def _run(self) -> None:
        in_hand: list[Job] = []
        try:
            while not self._stopping:
                in_hand = self.queue.take(self._TICK_S)
                for job in in_hand:
                    self._read(job)
                end_jobs(in_hand)
        except Exception as error:  # noqa: BLE001 - the thread's edge: the owner is told, the part is given back
            self._on_failure(f"reading codes: {type(error).__name__}: {error}")
            for job in in_hand:
                job.raw = Reading(why=f"reading failed: {error}", has_failed=True)
            end_jobs(in_hand)

    def _read(self, job: Job) -> None:
        began_ns = time.monotonic_ns()
        try:
            reading = self._reader.read(job.pixels, job.pixel_format)
        except ValueError as error:
            job.raw = Reading(why=str(error), has_failed=True)
            return
        took_s = (time.monotonic_ns() - began_ns) * 1e-9
        self.queue.times.observe(1, took_s)
        self.read += 1
        job.raw = Reading(reading.serial, reading.why, reading.code, round(took_s * 1e3, 3))


def reading_of(job: Job) -> Reading:
    """Return what a job that has ended came to; one that was never begun is late, or its station shuts down."""
    if isinstance(job.raw, Reading):
        return job.raw
    if job.failure_reason is Reason.LATE:
        return Reading(why="no time was left to read its code", is_late=True)
    return Reading(why=job.failure, has_failed=True)


def code_workers(section: IdentitySection, on_failure: Callable[[str], None]) -> CodeWorkers | None:
    """Return what reads the codes of parts; None where none are read. Raises CodesMissingError."""
    return CodeWorkers(section, on_failure) if section.source is Source.CODE else None

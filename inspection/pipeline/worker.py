"""One inference worker: a thread that takes a batch, prepares it and scores it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from camera.errors import PixelFormatError
from inspection.part import Reason
from inspection.pipeline.batch_queue import PART, BatchQueue, Job, end_jobs
from inspection.pipeline.prepare import Slots
from inspection.pipeline.unfit import UnfitError
from inspection.quality.gate import Gate
from models.engines import Engine
from models.errors import SessionAwayError
from models.session import Given


class Worker:
    """Prepare and infer in one thread: two of these, each call single-threaded, beat one call on two threads.

    Owned by the station. A frame that cannot be prepared costs its own part only, a model elsewhere that is away the
    parts in hand; any other error of the session is told to the owner (`on_failure`) and ends the worker, after every
    job of its batch was given back unscored. While no part comes it infers now and then, so that the first part after
    a pause finds the weights where they are fast.

    gates: one for each view, None where no limit of its pictures is held; a picture outside its limits is not scored.
    """

    _TICK_S = 0.2
    _KEEP_WARM_AFTER_NS = 1_000_000_000
    _KEEP_WARM_SHARE = 0.02  # of one core

    def __init__(
        self,
        name: str,
        queue: BatchQueue,
        session: Engine,
        slots: Slots,
        on_failure: Callable[[str], None],
        gates: Sequence[Gate | None] = (),
    ) -> None:
        self._queue = queue
        self._session = session
        self._tells_novelty = session.card.novelty is not None
        self._slots = slots
        self._on_failure = on_failure
        self._gates = gates
        self._stopping = False
        self.busy_since_host_ns = 0
        self.batches = 0
        self.images = 0
        self.kept_warm = 0
        self._warm_host_ns = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin taking batches."""
        self._thread.start()

    @property
    def running(self) -> bool:
        """True while the thread lives."""
        return self._thread.is_alive()

    def stop(self, timeout_s: float) -> None:
        """Finish the batch in hand and end; bounded by `timeout_s`."""
        self._stopping = True
        self._queue.wake()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        in_hand: list[Job] = []
        try:
            while not self._stopping:
                in_hand = self._queue.take(self._TICK_S)
                if in_hand:
                    self.busy_since_host_ns = time.monotonic_ns()
                    self._score(in_hand)
                    self.busy_since_host_ns = 0
                elif not self._stopping:
                    self._keep_warm()
        except Exception as error:  # noqa: BLE001 - the thread's edge: the owner is told, the parts are given back
            self._on_failure(f"{type(error).__name__}: {error}")
            for job in in_hand:
                job.raw, job.failure = None, f"inference failed: {error}"
            end_jobs(in_hand)

    def _score(self, in_hand: list[Job]) -> None:
        """Score the jobs in hand; they leave the list just before they are done, so that none is done twice.

        Images from outside whose map is wanted are scored by themselves after the parts, which stand before them.
        """
        self._prepare(in_hand)
        plain = next((place for place, job in enumerate(in_hand) if job.wants_map), len(in_hand))
        later = in_hand[plain:]
        del in_hand[plain:]
        try:
            self._infer(in_hand, 0, gives_all=self._tells_novelty)
        finally:
            in_hand += later
        self._infer(in_hand, plain, gives_all=True)

    def _infer(self, in_hand: list[Job], first: int, *, gives_all: bool) -> None:
        """Infer on the jobs in hand, which lie in the slots from `first` on; a model that is away costs these alone."""
        size = len(in_hand)
        if not size:
            return
        started_host_ns = self.busy_since_host_ns if first == 0 else time.monotonic_ns()
        batch = self._slots.filled[size] if first == 0 else self._slots.batch[first : first + size]
        try:
            given = self._session.run_all(batch) if gives_all else None
            scores = self._session.run(batch) if given is None else given.scores
        except SessionAwayError as error:
            for job in in_hand:
                job.failure = str(error)
            end_jobs(in_hand)
            return
        self._warm_host_ns = time.monotonic_ns()
        self._queue.times.observe(size, (self._warm_host_ns - started_host_ns) * 1e-9)
        self.batches += 1
        self.images += size
        for place, (job, raw) in enumerate(zip(in_hand, scores, strict=True)):
            job.raw, job.batch_size, job.batch_place = raw, size, place
            job.input = batch[place]
        if given is not None:
            self._tell_more(in_hand, given)
        end_jobs(in_hand)

    @staticmethod
    def _tell_more(in_hand: list[Job], given: Given) -> None:
        if given.novelty is not None:
            for job, novelty in zip(in_hand, given.novelty.tolist(), strict=True):
                job.novelty = novelty
        if given.map is not None:
            for place, job in enumerate(in_hand):
                if job.wants_map:
                    job.map = given.map[place]

    def _prepare(self, in_hand: list[Job]) -> None:
        """Fill one slot per job; a frame that cannot be prepared, or is too poor, leaves the list unscored."""
        slot = 0
        while slot < len(in_hand):
            job = in_hand[slot]
            try:
                self._look(job)
                if not job.failure:
                    job.pose = self._slots.fill(slot, job.pixels, job.view, job.pixel_format)
            except ValueError as error:
                job.failure = str(error)
                if isinstance(error, UnfitError):
                    job.failure_reason, job.pose, job.located = error.reason, error.pose, error.located
            if job.failure:
                end_jobs([in_hand.pop(slot)])
            else:
                slot += 1

    def _look(self, job: Job) -> None:
        """Hold a part's picture against the limits of its view. Raises ValueError for what is no picture."""
        gate = self._gates[job.view] if self._gates and job.priority == PART else None
        if gate is None:
            return
        try:
            job.quality = gate.look(job.pixels, job.pixel_format)
        except PixelFormatError as error:
            raise ValueError(str(error)) from error
        if job.quality.outside:
            job.failure, job.failure_reason = ", ".join(job.quality.outside), Reason.IMAGE_QUALITY

    def _keep_warm(self) -> None:
        """Infer on what the first slot holds, when the line has idled for a second, with a small share of a core."""
        expected_ns = self._queue.times.expected_s(1) * 1e9
        pause_ns = max(self._KEEP_WARM_AFTER_NS, round(expected_ns / self._KEEP_WARM_SHARE))
        now_host_ns = time.monotonic_ns()
        if now_host_ns - self._warm_host_ns < pause_ns:
            return
        self._warm_host_ns = now_host_ns
        try:
            self._session.run(self._slots.filled[1])
        except SessionAwayError:
            return  # whoever opened it is told by the session, which comes back by itself
        self._warm_host_ns = time.monotonic_ns()
        self.kept_warm += 1

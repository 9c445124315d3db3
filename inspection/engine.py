"""The model at work: one queue, several workers, and the judge that turns scores into decisions."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from camera.frame import Pixels
from inspection.config import StationConfig
from inspection.config.region import view_regions
from inspection.config.straightening import straighteners
from inspection.control import BusyError
from inspection.errors import ConfigError
from inspection.identity.workers import code_workers
from inspection.part import Decision
from inspection.pipeline.batch_queue import ASIDE, BatchQueue, Job
from inspection.pipeline.decide import Judge
from inspection.pipeline.prepare import Preparer, Slots
from inspection.pipeline.times import ExecutionTimes
from inspection.pipeline.worker import Worker
from inspection.quality.gate import Gate
from inspection.quality.limits import joined
from inspection.quality.options import QualitySection
from models.benchmark import measure_batch_times
from models.bundle import Bundle, load_bundle
from models.engines import Engine as EngineSession
from models.engines import open_engine
from models.errors import SessionError
from models.optimise import chosen_engine
from models.references import resolve_bundle
from models.session import Given

if TYPE_CHECKING:
    from inspection.remote_model.session import RemoteSession

_log = logging.getLogger(__name__)
_MEASURED_SIZES = (1, 2, 4, 8, 16, 32, 64)


class Engine:
    """Loads, checks and warms the bundle, then scores jobs until closed. Owned by the station.

    All workers share one session whose calls are single-threaded: that is as fast as a session each, and takes a third
    less memory for a ResNet-18. Loading runs the golden vectors on it. The engine is the one of the configuration;
    "auto" is the one that `lineward model optimise` found fastest here, ONNX Runtime where it was not asked.
    """

    _STALL_S = 2.0

    def __init__(
        self, config: StationConfig, on_failure: Callable[[str], None], on_remote: Callable[[str], None] = _log.warning
    ) -> None:
        """on_remote: told why a server's model is away, and '' when it is back; called on a thread of the session."""
        inference = config.inference
        cv2.setNumThreads(1)  # each worker prepares in its own thread; OpenCV's pool would only contend with them
        self.bundle: Bundle = load_bundle(resolve_bundle(config.model.bundle))
        self.judge = _judge(config, self.bundle)
        self.codes = code_workers(config.identity, on_failure)
        sizes = [size for size in _MEASURED_SIZES if size <= inference.max_batch]
        self._remote: RemoteSession | None = None
        name = chosen_engine(self.bundle) if inference.engine == "auto" else inference.engine
        session = self._open(config, name, on_remote)
        self.provider: str = session.provider
        self.times = ExecutionTimes(measure_batch_times(session, sizes, repeats=5), inference.max_batch)
        self.queue = BatchQueue(inference.queue_capacity, self.times, inference.workers)
        self.quality = limits_of_views(config, self.bundle)
        self._room_aside = threading.BoundedSemaphore(max(1, inference.workers - 1))
        self.workers = self._make_workers(config, session, on_failure)
        for worker in self.workers:
            worker.start()
        if self.codes is not None:
            self.codes.start()

    def _make_workers(
        self, config: StationConfig, session: EngineSession, on_failure: Callable[[str], None]
    ) -> list[Worker]:
        regions = view_regions(config)
        preparers = [*map(Preparer, regions, straighteners(config, regions)), Preparer()]
        self._as_it_is = len(preparers) - 1  # a view that takes the model's own input
        gates = [
            None if limits is None else Gate(limits, None if region is None else region.rectangle)
            for (_, limits), region in zip(self.quality, regions, strict=True)
        ]
        wanted = self.bundle.card.input
        size = (wanted.height, wanted.width, wanted.channels)
        slots = [Slots(config.inference.max_batch, *size, preparers) for _ in range(config.inference.workers)]
        return [
            Worker(f"infer-{number}", self.queue, session, own, on_failure, gates) for number, own in enumerate(slots)
        ]

    def thresholds(self) -> dict[str, Any]:
        """Return every limit that decides about a part, in plain JSON values."""
        limits = [None if one is None else one.model_dump(mode="json") for _, one in self.quality]
        return {"score": self.judge.threshold, "novelty": self.judge.novelty_limit, "quality": limits}

    def _open(self, config: StationConfig, name: str, on_remote: Callable[[str], None]) -> EngineSession:
        """Open the model where the configuration says; a server's model is closed with the engine."""
        inference, remote = config.inference, config.inference.remote
        sizes = range(1, inference.max_batch + 1)
        if remote is None:
            return open_engine(self.bundle, name, callers=inference.workers, warm_sizes=sizes)
        from inspection.remote_model.session import RemoteSession  # grpc only where it is needed

        self._remote = RemoteSession(self.bundle, remote, on_remote)
        try:
            self._remote.warm(sizes)
        except SessionError:
            self._remote.close()
            raise
        return self._remote

    def submit(self, job: Job) -> bool:
        """Queue one image; False when the queue is full."""
        return self.queue.put(job)

    def read_code(self, job: Job) -> bool:
        """Queue one picture whose code is to be read; False when that queue is full, or none are read."""
        return self.codes is not None and self.codes.submit(job)

    def inspect(self, pixels: Pixels, timeout_s: float) -> Decision:
        """Judge one image apart from the line, as a frame of the first view.

        A part that comes meanwhile goes first; it loses one execution at most.

        Raises BusyError when no answer came within `timeout_s`, as when the line leaves no time.
        """
        job = self._aside([pixels], timeout_s)[0]
        return self.judge.decide(job.raw, job.novelty)

    def infer(self, batch: Pixels, timeout_s: float) -> Given:
        """Give all that the model says of a batch uint8 (n, height, width, channels), n >= 1, apart from the line.

        More than a batch's worth goes in several. Raises BusyError as `inspect` does.
        """
        allowed_ns = time.monotonic_ns() + round(timeout_s * 1e9)
        images = list(batch[..., 0] if batch.shape[-1] == 1 else batch)
        step = self.times.max_size
        jobs: list[Job] = []
        for start in range(0, len(images), step):
            left_s = (allowed_ns - time.monotonic_ns()) * 1e-9
            jobs += self._aside(images[start : start + step], left_s, view=self._as_it_is, wants_map=True)
        card = self.bundle.card
        return Given(
            np.stack([job.raw for job in jobs]),
            None if card.map is None else np.stack([job.map for job in jobs]),
            None if card.novelty is None else np.array([job.novelty for job in jobs], np.float32),
        )

    def _aside(
        self,
        images: list[Pixels],
        timeout_s: float,
        *,
        view: int = 0,
        wants_map: bool = False,
    ) -> list[Job]:
        """Score images that are no parts; one worker at least stays free for the line where there are several."""
        deadline_host_ns = time.monotonic_ns() + round(timeout_s * 1e9)
        refusal = BusyError(f"no answer within {timeout_s:.3g} s; allow more time, or try when the line is slower")
        if not self._room_aside.acquire(timeout=max(timeout_s, 0.0)):
            raise refusal
        try:
            answered = threading.Semaphore(0)

            def done(ended: Sequence[Job]) -> None:
                answered.release(len(ended))

            jobs = [Job(one, deadline_host_ns, done, view=view, priority=ASIDE, wants_map=wants_map) for one in images]
            taken = [job for job in jobs if self.submit(job)]
            for _ in taken:
                if not answered.acquire(timeout=max(0.0, (deadline_host_ns - time.monotonic_ns()) * 1e-9)):
                    raise refusal
            if len(taken) < len(jobs):
                raise refusal
        finally:
            self._room_aside.release()
        failed = next((job for job in jobs if job.raw is None), None)
        if failed is not None:
            raise BusyError(f"the image was not judged: {failed.failure}")
        return jobs

    def stalled(self) -> str:
        """Return which worker hangs or has ended, '' when all work."""
        now_host_ns = time.monotonic_ns()
        for number, worker in enumerate(self.workers):
            busy_host_ns = worker.busy_since_host_ns
            if busy_host_ns and (now_host_ns - busy_host_ns) * 1e-9 > self._STALL_S:
                return f"worker {number} has been busy with one batch for more than {self._STALL_S:.0f} s"
            if not worker.running:
                return f"worker {number} has ended"
        if self.codes is not None and self.codes.ended:
            return "a thread that reads codes has ended"
        return ""

    def close(self) -> None:
        """Stop the workers; jobs that still wait are given back unscored. Bounded."""
        for worker in self.workers:
            worker.stop(timeout_s=2.0)
        self.queue.drain()
        if self.codes is not None:
            self.codes.stop(timeout_s=2.0)
        if self._remote is not None:
            self._remote.close()


def _judge(config: StationConfig, bundle: Bundle) -> Judge:
    card = bundle.card
    return Judge(
        classes=tuple(card.classes),
        good_index=card.classes.index(card.good_class),
        threshold=card.threshold.value if config.model.threshold is None else config.model.threshold,
        novelty_limit=_novelty_limit(config, bundle),
    )


def _novelty_limit(config: StationConfig, bundle: Bundle) -> float | None:
    """Return how far a picture may be off those of the training: as configured, else as the card says; None: any way.

    Raises ConfigError for a limit of a model that does not tell how far a picture is off.
    """
    asked, learned = config.model.novelty_limit, bundle.card.novelty
    if asked is not None and learned is None:
        raise ConfigError(
            f"[model] novelty_limit {asked:g}: '{bundle.card.name}' does not tell how far a picture is off "
            "those of its training — models of classify and segment do, of enough parts — leave it out"
        )
    if asked is None:
        return None if learned is None else learned.limit
    return asked


def limits_of_views(config: StationConfig, bundle: Bundle | None) -> list[tuple[str, QualitySection | None]]:
    """Return the camera's name and the limits of the pictures of each view; None where none is held.

    Raises ConfigError where the limits of the file and of the model's card do not go together.
    """
    learned = None if bundle is None else bundle.card.quality
    card = None if learned is None else QualitySection.model_validate(learned.limits())
    views: list[tuple[str, QualitySection | None]] = []
    for camera in config.cameras:
        try:
            limits = joined(camera.quality, config.quality, card)
        except ValueError as error:
            raise ConfigError(f"quality of camera '{camera.name}' and of the model's card: {error}") from None
        views += [(camera.name, limits)] * camera.frames
    return views

"""The reference of a station on OpenVINO: OpenVINO's own asynchronous queue, fed by a loop that prepares the frames."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import cycle
from typing import Any

import numpy as np
import openvino as ov

from camera.frame import Pixels
from inspection.bench.bare import Rate, measured
from inspection.bench.frames import Setting
from models.bundle import load_bundle
from models.references import resolve_bundle


class AsyncQueue:
    """A bundle compiled with the throughput hint and nothing else set, as OpenVINO's guide says. One thread."""

    def __init__(self, setting: Setting) -> None:
        bundle = load_bundle(resolve_bundle(setting.bundle))
        core = ov.Core()
        hint = {"PERFORMANCE_HINT": "THROUGHPUT"}
        self._queue = ov.AsyncInferQueue(core.compile_model(core.read_model(bundle.read("model.onnx")), "CPU", hint))
        self._queue.set_callback(self._take)
        self._setting, self._card = setting, bundle.card
        self._scored = 0
        self.last_scores: Any = None

    def _take(self, request: Any, _token: object) -> None:
        self.last_scores = request.get_output_tensor().data.copy()
        self._scored += 1

    def rate(self, frames: Sequence[Pixels], seconds: float) -> Rate:
        """Measure frames prepared one by one, each queued as soon as a request is free."""
        size = self._card.input
        slots = [np.zeros((1, size.height, size.width, size.channels), np.uint8) for _ in range(len(self._queue))]
        pictures, rate = cycle(frames), Rate()
        with measured(lambda: self._scored, rate):
            end_ns = time.monotonic_ns() + round(seconds * 1e9)
            while time.monotonic_ns() < end_ns:
                place = self._queue.get_idle_request_id()
                self._setting.preparer.prepare(next(pictures), self._setting.pixel_format, slots[place][0])
                self._queue[place].set_input_tensor(ov.Tensor(slots[place], shared_memory=True))
                self._queue.start_async()
            self._queue.wait_all()
        return rate

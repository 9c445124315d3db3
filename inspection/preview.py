"""The newest recorded part as a small picture: the one thing that may be dropped."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

import cv2
import numpy as np

from inspection.control import Preview
from inspection.part import PartResult
from inspection.records.record import StoredRecord


class PreviewSlot:
    """Holds the newest part that may be shown; encodes only when somebody waits.

    `offer` is called by the ejector's thread for each finished part, `durable` by the recorder's: a part is shown only
    once its record cannot be lost any more. `wait` encodes on the caller's (the API's) thread. Overflow policy: the
    newest replaces the older, which is counted when somebody was looking.
    """

    _LONGEST_SIDE = 720
    _QUALITY = 80

    def __init__(self, min_interval_s: float = 0.1) -> None:
        self.dropped = 0
        self._min_interval_ns = round(min_interval_s * 1e9)
        self._changed = threading.Condition()
        self._candidate: PartResult | None = None
        self._offered_host_ns = 0
        self._latest: PartResult | None = None
        self._sequence = 0
        self._fetched = 0
        self._watched = False
        self._encoded: Preview | None = None

    def offer(self, result: PartResult) -> None:
        """Take this part as the next to show, unless the one before it was offered a moment ago."""
        now_host_ns = time.monotonic_ns()
        if result.pixels is not None and now_host_ns - self._offered_host_ns >= self._min_interval_ns:
            with self._changed:
                self._candidate = result
                self._offered_host_ns = now_host_ns

    def durable(self, records: Iterable[StoredRecord]) -> None:
        """Show the offered part if its record is among those that have become durable."""
        with self._changed:
            candidate = self._candidate
            if candidate is None or not any((r.run, r.part) == (candidate.run, candidate.part) for r in records):
                return
            self.dropped += self._watched and self._fetched < self._sequence
            self._latest, self._candidate = candidate, None
            self._sequence += 1
            self._changed.notify_all()

    def wait(self, after_sequence: int, timeout_s: float) -> Preview | None:
        """Wait for a picture newer than `after_sequence`; None when none came in time."""
        with self._changed:
            self._watched = True
            if not self._changed.wait_for(lambda: self._sequence > after_sequence, timeout_s):
                return None
            self._fetched = self._sequence
            if self._encoded is not None and self._encoded.sequence == self._sequence:
                return self._encoded
            result, sequence = self._latest, self._sequence
        assert result is not None
        preview = self._encode(result, sequence)
        with self._changed:
            self._encoded = preview
        return preview

    def _encode(self, result: PartResult, sequence: int) -> Preview:
        pixels = np.asarray(result.pixels)
        scale = min(1.0, self._LONGEST_SIDE / max(pixels.shape[:2]))
        if scale < 1.0:
            pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        if pixels.ndim == 3:
            pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
        _, jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, self._QUALITY])
        height, width = pixels.shape[:2]
        return Preview(sequence, result.part, jpeg.tobytes(), width, height, result)

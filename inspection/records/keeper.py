"""The thread that turns pixels into durable image files, beside the thread that stores records."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from inspection.background import give_way
from inspection.disk_errors import trouble
from inspection.records.images import ImageFormat, keep_image
from inspection.records.record import ImageState, KeptImage
from inspection.records.store import Row

GIVEN_UP = KeptImage(ImageState.GIVEN_UP)


@dataclass(frozen=True, slots=True)
class KeeperEvents:
    """What the keeper tells its owner, on its own thread."""

    done: Callable[[Row], None]  # the row may be stored: its image is durable, or given up
    trouble: Callable[[str], None]  # images are being given up from now on, with the reason
    recovered: Callable[[], None]  # an image could be kept again


class _Picture(NamedTuple):
    """What waits to be written: whose it is, what is seen, and what the model got."""

    row: Row
    pixels: Any
    inputs: Sequence[Any]
    size_bytes: int


class ImageKeeper:
    """Encodes and writes the images that are to be kept; owned by the `RecordWriter`, one thread that gives way.

    Its queue is bounded by the bytes of the pixels that wait. Overflow policy: the image is refused (the record goes
    on without it). A record waits for its own image only, and never for another part's.
    """

    def __init__(
        self,
        directory: Path,
        image_format: ImageFormat,
        capacity_bytes: int,
        why_none: Callable[[], str],
        events: KeeperEvents,
    ) -> None:
        """Make the keeper; `why_none` says why no image may be kept now, or nothing."""
        self._directory, self._format = directory, image_format
        self._capacity_bytes, self._why_none, self._events = capacity_bytes, why_none, events
        self._changed = threading.Condition()
        self._waiting: deque[_Picture] = deque()
        self._waiting_bytes = 0
        self._is_closing = False
        self._is_troubled = False
        self.kept = 0
        self.given_up = 0  # disk or pixels did not allow it
        self.refused = 0  # the queue was full
        self._refused_told = 0
        self.peak_bytes = 0
        self._thread = threading.Thread(target=self._run, name="records-images", daemon=True)
        self._thread.start()

    def offer(self, row: Row, pixels: Any, inputs: Sequence[Any] = ()) -> bool:
        """Take a row whose image is to be kept; False when the queue is full or the keeper has ended.

        inputs: of each view what the model got, uint8 (height, width, channels), or None; kept in the image's file.
        """
        size = int(getattr(pixels, "nbytes", 0)) + sum(one.nbytes for one in inputs if one is not None)
        with self._changed:
            is_full = self._waiting_bytes + size > self._capacity_bytes and bool(self._waiting)
            if self._is_closing or is_full or not self._thread.is_alive():
                self.refused += 1
                return False
            self._waiting.append(_Picture(row, pixels, inputs, size))
            self._waiting_bytes += size
            self.peak_bytes = max(self.peak_bytes, self._waiting_bytes)
            self._changed.notify()
        return True

    def close(self, timeout_s: float) -> bool:
        """Finish what waits and end the thread; False when that took longer than `timeout_s`."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        give_way()
        try:
            while (item := self._next()) is not None:
                failure = self._keep(item)
                self._events.done(item.row)
                self._tell(failure or self._overflow())
                self._take_off(item)
        except Exception as error:  # noqa: BLE001 - the edge of this thread: its owner is told, no record is lost
            with self._changed:
                self._is_closing = True
                left, self._waiting = list(self._waiting), deque()
            for item in left:
                item.row.image = GIVEN_UP
                self._events.done(item.row)
            self._tell(f"the image thread ended: {error!r}")

    def _next(self) -> _Picture | None:
        with self._changed:
            while not self._waiting and not self._is_closing:
                self._changed.wait()
            return self._waiting[0] if self._waiting else None

    def _take_off(self, item: _Picture) -> None:
        with self._changed:
            self._waiting.popleft()
            self._waiting_bytes -= item.size_bytes

    def _keep(self, item: _Picture) -> str | None:
        row = item.row
        try:
            reason = self._why_none()
            if not reason:
                run = row.run.run.run
                row.image = keep_image(self._directory, run, row.part, item.pixels, self._format, item.inputs)
                self.kept += 1
                return None
        except OSError as error:
            reason = trouble(error)
        except ValueError as error:
            reason = str(error)
        row.image = GIVEN_UP
        self.given_up += 1
        return reason

    def _overflow(self) -> str | None:
        if self.refused == self._refused_told:
            return None
        self._refused_told = self.refused
        return (
            f"{self.refused} images came faster than they can be encoded (records.image_queue_mb is full) — keep fewer "
            "(records.ok_sample), or raise it"
        )

    def _tell(self, reason: str | None) -> None:
        if reason is None and self._is_troubled:
            self._is_troubled = False
            self._events.recovered()
        elif reason is not None and not self._is_troubled:
            self._is_troubled = True
            self._events.trouble(f"{self._directory}: images are not kept, records go on without them: {reason}")

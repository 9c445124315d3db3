"""The newest records as ready messages, read from the store once for however many clients watch."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Sequence

from inspection.api import v1 as pb
from inspection.api.feed import ResultFeed
from inspection.api.messages import result_message
from inspection.api.token import Place, read_place
from inspection.records.record import StoredRecord

_log = logging.getLogger(__name__)


def responses_after(place: Place, records: Sequence[StoredRecord]) -> tuple[list[pb.WatchResultsResponse], Place]:
    """Return one message a record, each with its resume token, and the place after the last."""
    responses = []
    for record in records:
        place = place.after(record.sequence, record.record_hash)
        responses.append(pb.WatchResultsResponse(result=result_message(record), resume_token=place.token()))
    return responses, place


class ResultTail:
    """Follows the store and keeps the last `CAPACITY` messages. Owned by the server.

    One thread ("api-results") waits for commits and reads them, once; everything else here runs on the server's event
    loop. Overflow policy: the oldest message leaves, and a watcher that still needs it reads the store instead: a slow
    watcher costs nobody else anything, and loses nothing.
    """

    CAPACITY = 512
    _BATCH = 128
    _WAIT_S = 0.25
    _RETRY_S = 1.0

    def __init__(self, feed: ResultFeed, loop: asyncio.AbstractEventLoop) -> None:
        """Start at the newest record. Raises what the store raises when it cannot be read."""
        self._feed = feed
        self._loop = loop
        self._place = read_place(feed, feed.last_sequence())
        self._messages: deque[pb.WatchResultsResponse] = deque(maxlen=self.CAPACITY)
        self._last = self._place.sequence
        self._changed = asyncio.Event()
        self._stopping = threading.Event()
        self.failure: Exception | None = None
        self._thread = threading.Thread(target=self._follow, name="api-results", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """End the thread; waits for at most `timeout_s`. Any thread but the event loop's."""
        self._stopping.set()
        self._thread.join(timeout_s)

    def wake(self) -> None:
        """Make every waiting watcher look again. On the event loop."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_beyond(self, sequence: int) -> None:
        """Return when there may be a message after `sequence`, or something else to look at: a failure, the end."""
        changed = self._changed
        if self._last <= sequence and self.failure is None:
            await changed.wait()

    def after(self, sequence: int) -> Sequence[pb.WatchResultsResponse] | None:
        """Return every message after `sequence` that is here; None when it must be read from the store."""
        missing = self._last - sequence
        if missing <= 0:
            return []
        if missing > len(self._messages):
            return None
        return list(self._messages)[-missing:]

    def _follow(self) -> None:
        while not self._stopping.is_set():
            try:
                if self._feed.wait_beyond(self._place.sequence, self._WAIT_S):
                    responses, self._place = responses_after(
                        self._place, self._feed.after(self._place.sequence, self._BATCH)
                    )
                    self._tell(responses, None)
                elif self.failure is not None:
                    self._tell([], None)
            except Exception as error:  # noqa: BLE001 - the edge of this thread: every watcher is told
                self._tell([], error)
                self._stopping.wait(self._RETRY_S)

    def _tell(self, responses: list[pb.WatchResultsResponse], failure: Exception | None) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._publish, responses, failure)

    def _publish(self, responses: list[pb.WatchResultsResponse], failure: Exception | None) -> None:
        if (failure is None) != (self.failure is None):
            _log.warning("results for the API: %s", failure or "can be read again")
        self.failure = failure
        self._messages.extend(responses)
        self._last += len(responses)
        self.wake()

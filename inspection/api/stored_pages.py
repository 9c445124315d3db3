"""Stored records as ready messages, read once for all the watchers who come back at about the same time."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from inspection.api import v1 as pb
from inspection.api.feed import ResultFeed
from inspection.api.tail import responses_after
from inspection.api.token import read_place

Responses = Sequence[pb.WatchResultsResponse]


@dataclass(frozen=True, slots=True)
class _Page:
    read: asyncio.Future[Responses]
    since_s: float


class StoredPages:
    """The pages that were read last. Owned by the service; event loop only, reads in `reads`.

    A page has a fixed place in the sequence, so that watchers meet in it wherever they began. Overflow policy: the page
    that was wanted longest ago leaves. A page is read again after `FRESH_S`, since images may be removed, and each time
    while it is not full.
    """

    PAGE = 128
    KEPT = 16
    FRESH_S = 10.0

    def __init__(self, feed: ResultFeed, reads: Executor, now_s: Callable[[], float] = time.monotonic) -> None:
        self._feed = feed
        self._reads = reads
        self._now_s = now_s
        self._pages: OrderedDict[int, _Page] = OrderedDict()

    async def after(self, sequence: int) -> Responses:
        """Return the messages after `sequence` up to the end of its page. Raises what the store raises."""
        begin = sequence - sequence % self.PAGE
        page = self._pages.get(begin)
        if page is None or self._now_s() - page.since_s > self.FRESH_S:
            page = self._pages[begin] = self._begin(begin)
        self._pages.move_to_end(begin)
        while len(self._pages) > self.KEPT:
            self._pages.popitem(last=False)
        responses = await asyncio.shield(page.read)
        return responses[sequence - begin :]

    def _begin(self, begin: int) -> _Page:
        def read() -> Responses:
            return responses_after(read_place(self._feed, begin), self._feed.after(begin, self.PAGE))[0]

        reading = asyncio.get_running_loop().run_in_executor(self._reads, read)
        page = _Page(reading, self._now_s())

        def done(_: asyncio.Future[Responses]) -> None:
            is_whole = not reading.cancelled() and reading.exception() is None and len(reading.result()) == self.PAGE
            if not is_whole and self._pages.get(begin) is page:
                del self._pages[begin]

        reading.add_done_callback(done)
        return page

"""Watchers who come back together read the store once, and each goes on from its own place."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from api_station import Records

from inspection.api.feed import RecordFeed
from inspection.api.stored_pages import StoredPages
from inspection.records.record import StoredRecord

PAGE = StoredPages.PAGE


class CountedFeed(RecordFeed):
    """The real feed, which counts how many pages are read from it, and may fail."""

    def __init__(self, records: Records) -> None:
        super().__init__(records.reader)
        self.pages = 0
        self.failure: OSError | None = None

    def after(self, sequence: int, limit: int) -> list[StoredRecord]:
        if limit == PAGE:
            self.pages += 1
            if self.failure is not None:
                raise self.failure
        return super().after(sequence, limit)


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    made = Records(tmp_path / "store")
    yield made
    made.close()


@pytest.fixture
def reads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


async def everything(pages: StoredPages, sequence: int, last: int) -> list[int]:
    """Follow from a place to the last record, as a watcher does."""
    found: list[int] = []
    while sequence < last:
        responses = await pages.after(sequence)
        found += [response.result.sequence for response in responses]
        sequence = found[-1]
    return found


def test_a_hundred_watchers_read_each_page_once(records: Records, reads: ThreadPoolExecutor) -> None:
    """Wherever each of them began, it gets every record after its place, in order, with the right token."""
    last = 5 * PAGE
    records.add(last)
    feed = CountedFeed(records)

    async def story() -> None:
        pages = StoredPages(feed, reads)
        begins = [number * 6 for number in range(100)]
        found = await asyncio.gather(*(everything(pages, begin, last) for begin in begins))
        assert found == [list(range(begin + 1, last + 1)) for begin in begins]
        alone = await StoredPages(RecordFeed(records.reader), reads).after(PAGE)
        assert [one.resume_token for one in await pages.after(PAGE + 9)] == [one.resume_token for one in alone[9:]]

    asyncio.run(story())
    assert feed.pages == 5


def test_a_page_that_is_not_full_is_read_again(records: Records, reads: ThreadPoolExecutor) -> None:
    """Records that were added since are found."""
    records.add(3)
    pages = StoredPages(CountedFeed(records), reads)

    async def story() -> None:
        assert [one.result.sequence for one in await pages.after(1)] == [2, 3]
        await asyncio.to_thread(records.add, 2)
        assert [one.result.sequence for one in await pages.after(3)] == [4, 5]
        assert list(await pages.after(5)) == []

    asyncio.run(story())


def test_what_cannot_be_read_fails_for_those_who_wait_and_is_tried_again(
    records: Records, reads: ThreadPoolExecutor
) -> None:
    """A failure is nobody's answer later on; and one watcher who leaves takes the page from no other."""
    records.add(PAGE)
    feed = CountedFeed(records)
    pages = StoredPages(feed, reads)

    async def story() -> None:
        feed.failure = OSError("disk gone")
        waiting = [asyncio.ensure_future(pages.after(0)) for _ in range(3)]
        for one in waiting:
            with pytest.raises(OSError, match="disk gone"):
                await one
        feed.failure = None
        leaves, stays = asyncio.ensure_future(pages.after(0)), asyncio.ensure_future(pages.after(0))
        await asyncio.sleep(0)
        leaves.cancel()
        assert len(await stays) == PAGE

    asyncio.run(story())


def test_pages_are_few_and_fresh(records: Records, reads: ThreadPoolExecutor) -> None:
    """No more than some are kept, and none for long: what is removed meanwhile is told of."""
    records.add(PAGE * (StoredPages.KEPT + 2))
    feed, now = CountedFeed(records), [0.0]
    pages = StoredPages(feed, reads, now_s=lambda: now[0])

    async def story() -> None:
        for number in range(StoredPages.KEPT + 2):
            await pages.after(number * PAGE)
        assert len(pages._pages) == StoredPages.KEPT
        await pages.after((StoredPages.KEPT + 1) * PAGE)
        assert feed.pages == StoredPages.KEPT + 2
        now[0] += StoredPages.FRESH_S + 1
        await pages.after((StoredPages.KEPT + 1) * PAGE)
        assert feed.pages == StoredPages.KEPT + 3

    asyncio.run(story())

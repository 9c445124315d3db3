"""Work on one image after another in several threads, with a bounded number of results at once."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

_AT_ONCE = 32


def each_of(count: int, work: Callable[[int], T], threads: int) -> Generator[T, None, None]:
    """Yield work(index) for 0 up to a count, in this order; `work` runs in so many threads at once.

    At most 32 results are waiting or under way. An error in `work` is raised where its result would have been taken.
    """
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, count, _AT_ONCE):
            yield from pool.map(work, range(start, min(start + _AT_ONCE, count)))

"""Makes the next batches in other threads while the device learns from this one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

AHEAD = 4  # batches that wait at most: each is ready long before the device asks, and they stay small in memory


def prefetch(
    make: Callable[[int], T], numbers: Iterable[int], *, ahead: int = AHEAD, threads: int = 1
) -> Generator[T, None, None]:
    """Yield make(number) for each number, in this order, made by so many threads before they are asked for.

    At most `ahead` results are waiting or under way: the makers wait for the taker, nothing is dropped. `make` runs in
    several threads at once where `threads` is above 1, and what it gives must depend on the number alone. An error in
    it is raised where its result would have been taken. Close the iterator to end it early: it waits only for what is
    being made at that moment.
    """
    waiting: deque[Future[T]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="prefetch") as pool:
        try:
            for number in numbers:
                waiting.append(pool.submit(make, number))
                if len(waiting) >= ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

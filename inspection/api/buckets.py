"""Token buckets: how often something may happen, for each of many callers, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass


@dataclass(slots=True)
class Bucket:
    """What one caller may still do. Owned by `Buckets`."""

    left: float
    filled_s: float


class Buckets:
    """One bucket for each key, filled steadily up to its size. Owned by the guard; one thread only.

    The least recently used one is forgotten when there are too many: it begins full again, which costs its key nothing.
    """

    def __init__(self, per_s: float, size: float, now_s: Callable[[], float], *, most: int = 4096) -> None:
        """per_s: how fast a bucket fills; size: how much it holds, at least 1. now_s: a clock that never goes back."""
        self._per_s = per_s
        self._size = max(1.0, size)
        self._now_s = now_s
        self._most = most
        self._buckets: OrderedDict[Hashable, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def wait_s(self, key: Hashable) -> float:
        """Take one out of a key's bucket and return 0.0; or leave it and return in how many seconds there is one."""
        now_s = self._now_s()
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(self._size, now_s)
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
            bucket.left = min(self._size, bucket.left + (now_s - bucket.filled_s) * self._per_s)
            bucket.filled_s = now_s
        if bucket.left >= 1.0:
            bucket.left -= 1.0
            return 0.0
        return (1.0 - bucket.left) / self._per_s

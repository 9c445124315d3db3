"""Results to many watchers while one of them sleeps: how many a second, what it costs in memory, and gaps."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import grpc

from inspection.api import v1 as pb
from inspection.api import v1_grpc as pb_grpc
from inspection.bench.api.measured import MeasuredStation

_WINDOW, _GROUP = 256, 64
_LONGEST_S = 120.0
_BACKLOG = 3000
_WATCHERS_A_CHANNEL = 10
_CHANNEL = [("grpc.use_local_subchannel_pool", 1)]
# A client's gRPC takes megabytes before its program reads them; without this a sleeper would need minutes to be felt.
_SLEEPERS_CHANNEL = [*_CHANNEL, ("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65_535)]


@dataclass(slots=True, eq=False)
class Watcher:
    """One client's stream. Owned by its watch; event loop only. gaps: results that did not follow the one before."""

    token: str = ""
    sequence: int = 0
    received: int = 0
    gaps: int = 0
    tokens: deque[str] = field(default_factory=lambda: deque(maxlen=_BACKLOG + 1))
    is_open: asyncio.Event = field(default_factory=asyncio.Event)
    may_read: asyncio.Event = field(default_factory=asyncio.Event)

    async def watch(self, stub: Any, changed: asyncio.Event) -> None:
        """Take results until cancelled; a watcher that may not read leaves them where they are."""
        stream = stub.WatchResults(pb.WatchResultsRequest(only_new=not self.token, resume_token=self.token))
        async for response in stream:
            self.is_open.set()
            self.tokens.append(response.resume_token)
            if not response.HasField("result"):
                continue
            sequence = response.result.sequence
            self.gaps += bool(self.sequence and sequence != self.sequence + 1)
            self.sequence = sequence
            self.received += 1
            changed.set()
            await self.may_read.wait()


class Watch:
    """So many watchers of a station, and one who sleeps where that is asked for. A context; on one event loop."""

    def __init__(self, station: MeasuredStation, watchers: int, *, with_sleeper: bool = False, token: str = "") -> None:
        """token: where all begin; '' with what comes from now on."""
        self._station = station
        self.awake = [Watcher(token) for _ in range(watchers)]
        self.sleeper = Watcher() if with_sleeper else None
        self._fed = 0
        self._changed = asyncio.Event()
        self._channels: list[grpc.aio.Channel] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Watch:
        for watcher in self.awake:
            watcher.may_read.set()
        everybody = [*self.awake, *([] if self.sleeper is None else [self.sleeper])]
        stub: Any = None
        for number, watcher in enumerate(everybody):
            sleeps = watcher is self.sleeper
            if number % _WATCHERS_A_CHANNEL == 0 or sleeps:
                options = _SLEEPERS_CHANNEL if sleeps else _CHANNEL
                self._channels.append(grpc.aio.insecure_channel(self._station.address, options=options))
                stub = pb_grpc.ResultServiceStub(self._channels[-1])
            self._tasks.append(asyncio.create_task(watcher.watch(stub, self._changed)))
        for watcher in everybody:
            await asyncio.wait_for(watcher.is_open.wait(), _LONGEST_S)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for channel in self._channels:
            await channel.close()

    async def feed(self, seconds: float) -> float:
        """Feed as much as all who are awake take, and return the results a second that each of them got."""
        began_ns = time.monotonic_ns()
        while time.monotonic_ns() - began_ns < seconds * 1e9:
            await asyncio.to_thread(self._station.ask, "feed", count=_GROUP)
            self._fed += _GROUP
            await self.until_all_have(self._fed - _WINDOW)
        await self.until_all_have(self._fed)
        return self._fed / ((time.monotonic_ns() - began_ns) * 1e-9)

    async def until_all_have(self, count: int) -> None:
        """Wait until everybody who is awake has got so many results."""
        await self._until(lambda: min(one.received for one in self.awake) >= count)

    async def wake(self) -> tuple[int, float]:
        """Let the sleeper read on to the newest result; return how many it had slept through, and took a second."""
        assert self.sleeper is not None
        sleeper, last = self.sleeper, max(one.sequence for one in self.awake)
        began_ns, before = time.monotonic_ns(), sleeper.received
        sleeper.may_read.set()
        await self._until(lambda: sleeper.sequence >= last)
        missed = sleeper.received - before
        return missed, missed / ((time.monotonic_ns() - began_ns) * 1e-9)

    async def _until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _LONGEST_S
        while not holds():
            self._changed.clear()
            await asyncio.wait_for(self._changed.wait(), max(0.0, deadline - time.monotonic()))
            for task in self._tasks:
                if task.done():
                    task.result()  # a stream that ended says why


async def measure(station: MeasuredStation, watchers: int, seconds: float) -> dict[str, Any]:
    """Feed made-up parts as fast as all watchers take them: first alone, then beside one more client that sleeps.

    MB are those of the station's process: growth since before the sleeper came, while it slept and after it caught up.
    """
    async with Watch(station, watchers) as plain:
        alone_per_s = await plain.feed(seconds)
    resumed_per_s = await _resume(station, watchers)
    before_mb = station.memory_mb()
    async with Watch(station, watchers, with_sleeper=True) as watch:
        per_s = await watch.feed(seconds)
        asleep_mb = station.memory_mb()
        slept_through, caught_up_per_s = await watch.wake()
        assert watch.sleeper is not None
        gaps = sum(one.gaps for one in (*watch.awake, watch.sleeper))
    return {
        "results_per_s": round(alone_per_s),
        "delivered_per_s": round(alone_per_s * watchers),
        "with_sleeper_per_s": round(per_s),
        "with_sleeper_ratio": round(per_s / alone_per_s, 3),
        "memory_mb": round(before_mb, 1),
        "growth_asleep_mb": round(asleep_mb - before_mb, 2),
        "growth_after_mb": round(station.memory_mb() - before_mb, 2),
        "slept_through": slept_through,
        "caught_up_per_s": round(caught_up_per_s),
        "resumed_per_s": round(resumed_per_s),
        "gaps": gaps,
    }


async def _resume(station: MeasuredStation, watchers: int) -> float:
    """Have all come back at once with a token some thousand results old; return how many a second each of them got."""
    async with Watch(station, 1) as one:
        await one.feed(0.0)
        while len(one.awake[0].tokens) <= _BACKLOG:
            await one.feed(0.2)
        token = one.awake[0].tokens[0]
    began_ns = time.monotonic_ns()
    async with Watch(station, watchers, token=token) as back:
        await back.until_all_have(_BACKLOG)
        assert not sum(watcher.gaps for watcher in back.awake)
        return _BACKLOG / ((time.monotonic_ns() - began_ns) * 1e-9)


async def measure_line(station: MeasuredStation, watchers: int, seconds: float) -> dict[str, Any]:
    """Let the line run at its rate, while so many watch and one more sleeps; none: nobody watches."""
    if not watchers:
        return await asyncio.to_thread(station.ask, "run", seconds=seconds)
    async with Watch(station, watchers, with_sleeper=True) as watch:
        told = await asyncio.to_thread(station.ask, "run", seconds=seconds)
        await watch.until_all_have(told["parts"])
        await watch.wake()
        assert watch.sleeper is not None
        return told | {"gaps": sum(one.gaps for one in (*watch.awake, watch.sleeper))}

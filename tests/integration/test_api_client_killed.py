"""Watchers of both clients over a station that is killed with -9 and started again on its port and store."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mes_plant import AT_ONCE_S, Plant

from inspection.client import AsyncStationClient, pb

KILLS = 3
MORE = 8


class Seen:
    """The sequences that a watcher has seen, and how many it shall see at the least; any thread."""

    def __init__(self) -> None:
        self.sequences: list[int] = []
        self.enough: int | None = None
        self._changed = threading.Condition()

    def add(self, sequence: int) -> bool:
        """Note one more; return whether that is enough."""
        with self._changed:
            self.sequences.append(sequence)
            self._changed.notify_all()
            return self.enough is not None and len(self.sequences) >= self.enough

    def wait_more(self) -> None:
        """Wait until some more have come."""
        with self._changed:
            count = len(self.sequences) + MORE
            assert self._changed.wait_for(lambda: len(self.sequences) >= count, AT_ONCE_S), len(self.sequences)


async def follow_aio(plant: Plant, seen: Seen) -> None:
    async with AsyncStationClient(plant.address, **plant.login()) as client:
        async for response in client.watch_results():
            if seen.add(response.result.sequence):
                return


def follow(plant: Plant, seen: Seen) -> None:
    with plant.client() as client:
        for response in client.watch_results():
            if seen.add(response.result.sequence):
                return


def test_no_gap_and_no_double_over_kills(tmp_path: Path) -> None:
    """Each record that was ever told comes exactly once and in order, whatever the kill cut off."""
    aio, blocking = Seen(), Seen()
    with Plant(tmp_path) as plant, ThreadPoolExecutor(2) as pool:
        following = [
            pool.submit(lambda: asyncio.run(follow_aio(plant, aio))),
            pool.submit(follow, plant, blocking),
        ]
        try:
            with plant.client() as client:
                client.start_line()
                for _ in range(KILLS):
                    aio.wait_more()
                    blocking.wait_more()
                    plant.kill()
                    plant.station = plant.run()
                    client.start_line()
                aio.wait_more()
                blocking.wait_more()
        finally:
            aio.enough = blocking.enough = max(len(aio.sequences), len(blocking.sequences)) + MORE
            for one in following:
                one.result(AT_ONCE_S)
        with plant.client() as client:
            client.station.Stop(pb.StopRequest(), timeout=60.0)
        for seen in (aio, blocking):
            assert seen.sequences == list(range(1, len(seen.sequences) + 1))

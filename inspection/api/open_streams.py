"""The streams that are open now: at most so many of each caller, and ended when he may not go on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc

from inspection.api.callers import Caller
from inspection.api.errors import RefusedError

_LOOK_AGAIN_S = 1.0


@dataclass(slots=True, eq=False)
class OpenStream:
    """One of them. Owned by `OpenStreams`. refusal: why it was ended, for its client."""

    caller: Caller
    task: asyncio.Task[Any] | None
    refusal: RefusedError | None = None


class OpenStreams:
    """All of them. Owned by the guard; event loop only."""

    def __init__(self, most: int) -> None:
        """most: of one caller."""
        self._most = most
        self._open: dict[str, set[OpenStream]] = {}

    def end_gone(self, gone: Callable[[Caller], RefusedError | None]) -> None:
        """Cancel the streams of callers who may not go on, each with the reason."""
        for stream in [one for held in self._open.values() for one in held]:
            refusal = gone(stream.caller)
            if refusal is not None and stream.refusal is None and stream.task is not None:
                stream.refusal = refusal
                stream.task.cancel()

    @contextlib.contextmanager
    def place(self, caller: Caller) -> Iterator[OpenStream]:
        """Hold one of a caller's places for streams. Raises RefusedError (RESOURCE_EXHAUSTED, reason STREAMS)."""
        most = self._most
        held = self._open.setdefault(caller.key, set())
        if len(held) >= most:
            raise RefusedError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "STREAMS",
                f"{caller.name or 'a client'} has {most} streams open — no more are allowed to one caller — end some, "
                "or raise api.streams_per_client",
                metadata={"streams": str(most)},
                retry_after_s=_LOOK_AGAIN_S,
            )
        place = OpenStream(caller, asyncio.current_task())
        held.add(place)
        try:
            yield place
        finally:
            held.discard(place)
            if not held:
                self._open.pop(caller.key, None)

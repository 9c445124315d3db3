"""How many clients may watch a stream at a time, and how each of them learns that the station shuts down."""

from __future__ import annotations

import grpc

from inspection.api.answers import Context
from inspection.api.errors import RefusedError

_RETRY_S = 1.0


class Watchers:
    """Counts the open streams of one kind and refuses one too many. Owned by a service; event loop only."""

    def __init__(self, what: str, limit: int) -> None:
        self._what = what
        self._limit = limit
        self._open = 0
        self._stopping = False

    def admit(self, context: Context) -> None:
        """Count this call until it ends, however it ends. Raises RefusedError: RESOURCE_EXHAUSTED, reason WATCHERS."""
        if self._open >= self._limit:
            raise RefusedError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "WATCHERS",
                f"{self._open} clients watch {self._what} already — {self._limit} may — end one of those streams, or "
                "let one client pass the stream on to the others",
                metadata={"limit": str(self._limit)},
                retry_after_s=_RETRY_S,
            )
        self._open += 1
        context.add_done_callback(self._left)  # type: ignore[arg-type] # the stub has a class where a function is meant

    def stop(self) -> None:
        """Let `check` end every stream from now on."""
        self._stopping = True

    def check(self) -> None:
        """Raise RefusedError (UNAVAILABLE, reason SHUTDOWN) once the station shuts down."""
        if self._stopping:
            raise RefusedError(
                grpc.StatusCode.UNAVAILABLE,
                "SHUTDOWN",
                "the station is shutting down — come back when it runs again, with the last resume token",
                retry_after_s=_RETRY_S,
            )

    def _left(self, _: object) -> None:
        self._open -= 1

"""A call's context for a service that carries a command out: its `abort` is kept, so that the audit log comes first."""

from __future__ import annotations

from typing import Any, Never

import grpc

from inspection.api.answers import Context
from inspection.api.outcome import DETAILS_KEY, Outcome


class HeldAbortError(Exception):
    """A service has ended its call with an error."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.text)
        self.outcome = outcome


class HeldContext:
    """Everything of the real context but `abort`. Owned by one call; event loop only."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    async def abort(self, code: grpc.StatusCode, details: str = "", trailing_metadata: Any = ()) -> Never:
        """End the service's work; the guard tells the client, after the entry is written."""
        kept = next((bytes(value) for key, value in trailing_metadata or () if key == DETAILS_KEY), b"")
        raise HeldAbortError(Outcome(code, None, details, kept))

"""Request ids: a command that comes again is answered as the first time, and not carried out again."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import grpc

from inspection.api.audit import DONE, Audit
from inspection.api.command import Command, refused_id
from inspection.api.errors import RefusedError
from inspection.api.outcome import Outcome
from inspection.records.errors import RecordsError

WINDOW_S = 3600.0
_MOST = 10_000
_FORGOTTEN_AT_ONCE = 8  # one comes in, so the number shrinks; and no call pays for all


@dataclass(slots=True)
class _Known:
    fingerprint: str
    since_s: float
    outcome: asyncio.Future[Outcome] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class RequestIds:
    """The ids of the last hour. Owned by the guard; event loop only.

    After a start, and when ids had to be forgotten early, an id that is not known here is looked up in the audit log:
    no clock decides about that, since a wall clock may be set.
    """

    def __init__(self, audit: Audit, now_s: Callable[[], float] = time.monotonic, most: int = _MOST) -> None:
        self._audit = audit
        self._now_s = now_s
        self._most = most
        self._known: OrderedDict[tuple[str, str], _Known] = OrderedDict()
        self._look_up_until_s = now_s() + WINDOW_S

    def __len__(self) -> int:
        return len(self._known)

    async def once(self, command: Command, carry_out: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Return the outcome of a command, carrying it out when its id is new.

        Whoever comes while the first is still being carried out waits for it. Raises RefusedError: INVALID_ARGUMENT
        (REQUEST_ID) when the id belongs to another command; what `carry_out` raises is not remembered.
        """
        key = (command.caller.name, command.request_id)
        known = self._known.get(key)
        if known is not None:
            self._hold_against(known.fingerprint, command)
            return await asyncio.shield(known.outcome)
        known = self._known[key] = _Known(command.fingerprint, self._now_s())
        self._forget()
        try:
            outcome = await self._written(command) or await carry_out()
        except BaseException as error:
            del self._known[key]
            if isinstance(error, RefusedError):
                known.outcome.set_exception(error)
                known.outcome.exception()  # nobody need be waiting for it
            else:
                known.outcome.cancel()
            raise
        known.outcome.set_result(outcome)
        return outcome

    async def _written(self, command: Command) -> Outcome | None:
        """Return how a command of this id ended before this server began, None when the log has none."""
        if self._now_s() >= self._look_up_until_s:
            return None
        try:
            found = await self._audit.find(command.caller.name, command.request_id)
        except (RecordsError, OSError) as error:
            raise RefusedError(
                grpc.StatusCode.UNAVAILABLE,
                "AUDIT",
                f"whether this request id was carried out before cannot be looked up: {error}",
                retry_after_s=1.0,
            ) from error
        if not found:
            return None
        content = found[0].entry.content
        self._hold_against(str(content.get("fingerprint", "")), command)
        if content.get("phase") == DONE and (outcome := Outcome.from_json(content.get("outcome", {}))) is not None:
            return outcome
        return Outcome.of_refusal(
            RefusedError(
                grpc.StatusCode.ABORTED,
                "REQUEST_ID",
                f"a command of request id {command.request_id} was begun before the station started anew, and what "
                "came of it is not known — look at the status, then send it again with a new id if it is needed",
                metadata={"entry": str(found[0].sequence)},
            )
        )

    @staticmethod
    def _hold_against(fingerprint: str, command: Command) -> None:
        if fingerprint != command.fingerprint:
            raise refused_id(
                f"request id {command.request_id} was used for another command — an id belongs to one request, bytes "
                "and method alike — make a new one for each"
            )

    def _forget(self) -> None:
        """Drop ids that are older than the window, and the oldest of too many; never one that is being carried out."""
        now_s = self._now_s()
        for _ in range(_FORGOTTEN_AT_ONCE):
            key, known = next(iter(self._known.items()))
            is_old = now_s - known.since_s > WINDOW_S
            if not is_old and len(self._known) <= self._most:
                return
            if not known.outcome.done():
                self._known.move_to_end(key)
                continue
            del self._known[key]
            if not is_old:
                self._look_up_until_s = now_s + WINDOW_S

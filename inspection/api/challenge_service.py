"""ChallengeService: begin a challenge and follow it, give it up, and look at past ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from functools import partial
from typing import TypeVar

import grpc

from inspection.api import v1 as pb
from inspection.api import v1_grpc as pb_grpc
from inspection.api.answers import Context, streaming, unary
from inspection.api.challenge_messages import challenge_message, interlock_message, past_message
from inspection.api.errors import RefusedError
from inspection.api.watchers import Watchers
from inspection.challenge.book import Phase
from inspection.challenge.control import ChallengeControl
from inspection.challenge.errors import (
    ChallengeError,
    ChallengeMissingError,
    ChallengePartsError,
    ChallengeRunningError,
    ChallengeStateError,
)
from inspection.challenge.options import MAX_OPERATOR
from inspection.plain_text import unprintable

MAX_CHALLENGE_WATCHERS = 4
DEFAULT_LISTED, MAX_LISTED = 20, 200
_WAIT_S = 0.5
_Answer = TypeVar("_Answer")


class ChallengeService(pb_grpc.ChallengeServiceServicer):
    """Owned by the server; its methods run on the server's event loop, whatever may block in `calls`.

    Each stream waits on a thread of `waits`, which must have one for each of `MAX_CHALLENGE_WATCHERS`.
    """

    def __init__(self, control: ChallengeControl | None, calls: Executor, waits: Executor) -> None:
        """`control` is None for a server without a line, which refuses every call."""
        self._control = control
        self._calls = calls
        self._waits = waits
        self._watchers = Watchers("challenges", MAX_CHALLENGE_WATCHERS)

    def stop(self) -> None:
        """End every stream with UNAVAILABLE, each within half a second."""
        self._watchers.stop()

    @streaming
    async def StartChallenge(  # noqa: N802 - the name in the proto
        self, request: pb.StartChallengeRequest, context: Context
    ) -> AsyncIterator[pb.StartChallengeResponse]:
        """Begin a challenge and stream its progress until its end is durable."""
        control = self._line()
        self._watchers.admit(context)
        self._watchers.check()
        operator, parts = _operator(request.operator), request.parts
        view = await self._call(lambda: control.begin(parts, operator))
        name, version = view.name, 0
        while True:
            wait = partial(control.wait, name, version, _WAIT_S)
            news = await asyncio.get_running_loop().run_in_executor(self._waits, _translated, wait)
            if news is not None:
                version, view = news
                yield pb.StartChallengeResponse(challenge=challenge_message(view))
                if view.phase is Phase.ENDED:
                    return
            self._watchers.check()

    @unary
    async def CancelChallenge(  # noqa: N802 - the name in the proto
        self, request: pb.CancelChallengeRequest, _context: Context
    ) -> pb.CancelChallengeResponse:
        """Give a challenge up."""
        control = self._line()
        view = await self._call(lambda: control.cancel(request.name))
        return pb.CancelChallengeResponse(challenge=challenge_message(view))

    @unary
    async def GetChallengeStatus(  # noqa: N802 - the name in the proto
        self, _request: pb.GetChallengeStatusRequest, _context: Context
    ) -> pb.GetChallengeStatusResponse:
        """Return whether production may run, and why not."""
        return interlock_message(await self._call(self._line().view))

    @unary
    async def ListChallenges(  # noqa: N802 - the name in the proto
        self, request: pb.ListChallengesRequest, _context: Context
    ) -> pb.ListChallengesResponse:
        """Return past challenges, newest first."""
        control, limit = self._line(), request.limit or DEFAULT_LISTED
        if not 1 <= limit <= MAX_LISTED:
            raise RefusedError(
                grpc.StatusCode.INVALID_ARGUMENT,
                "LIMIT",
                f"limit is {limit} — 1 to {MAX_LISTED} are allowed — leave it out for {DEFAULT_LISTED}",
                field="limit",
            )
        past = await self._call(lambda: control.past(limit))
        return pb.ListChallengesResponse(challenges=[past_message(stored) for stored in past])

    def _line(self) -> ChallengeControl:
        if self._control is None:
            raise RefusedError(
                grpc.StatusCode.UNIMPLEMENTED,
                "NO_LINE",
                "this server has no line that could be challenged — a running station is needed — ask that one",
            )
        return self._control

    async def _call(self, function: Callable[[], _Answer]) -> _Answer:
        return await asyncio.get_running_loop().run_in_executor(self._calls, _translated, function)


def _translated(function: Callable[[], _Answer]) -> _Answer:
    try:
        return function()
    except ChallengeError as error:
        raise _refusal(error) from error


def _refusal(error: ChallengeError) -> RefusedError:
    text = str(error)
    match error:
        case ChallengeRunningError():
            told = {"challenge": error.challenge, "operator": error.operator}
            return RefusedError(grpc.StatusCode.FAILED_PRECONDITION, "CHALLENGE_RUNNING", text, metadata=told)
        case ChallengeStateError():
            return RefusedError(grpc.StatusCode.FAILED_PRECONDITION, "STATE", text, metadata={"state": error.state})
        case ChallengePartsError():
            return RefusedError(grpc.StatusCode.INVALID_ARGUMENT, "PARTS", text, field="parts")
        case ChallengeMissingError():
            return RefusedError(grpc.StatusCode.NOT_FOUND, "CHALLENGE", text, field="name")
    return RefusedError(grpc.StatusCode.FAILED_PRECONDITION, "CHALLENGE", text)


def _operator(name: str) -> str:
    if len(name) > MAX_OPERATOR:
        raise RefusedError(
            grpc.StatusCode.INVALID_ARGUMENT,
            "OPERATOR",
            f"the operator's name has {len(name)} characters — at most {MAX_OPERATOR} are allowed — shorten it",
            field="operator",
        )
    if unprintable(name):
        raise RefusedError(
            grpc.StatusCode.INVALID_ARGUMENT,
            "OPERATOR",
            f"the operator's name is {name!r} — line breaks and control characters are not allowed, since the record "
            "keeps it — leave them out",
            field="operator",
        )
    return name

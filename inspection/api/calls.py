"""What every call of a client carries, and when it may be made again: for the blocking client and its aio twin."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from uuid import uuid4

import grpc
from google.protobuf.message import Message

from inspection.api.errors import ApiError, CallError, ClosedError, UntrustedError

_ID = "request_id"  # the field that makes a message a command
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.1, 5.0
_Request = TypeVar("_Request")


def identified(request: _Request) -> _Request:
    """Return the request of a command with an id of its own (UUID4), so that sending it twice does it once.

    A request that has an id already, or that is no command, comes back as it is; else it is copied, and the caller may
    use his own again for another command.
    """
    if not isinstance(request, Message) or _ID not in request.DESCRIPTOR.fields_by_name:
        return request
    if getattr(request, _ID):
        return request
    named = type(request)()
    named.CopyFrom(request)
    setattr(named, _ID, str(uuid4()))
    return named


def sendable_token(token: str) -> str:
    """Return a token as it is sent: without the line break that its file ends with. Raises ApiError, without it."""
    bare = token.strip()
    wrong = next((place for place, one in enumerate(bare, 1) if not "!" <= one <= "~"), 0)
    if wrong:
        raise ApiError(
            f"the token has {bare[wrong - 1]!a} as character {wrong} of {len(bare)} — letters, digits, - and _ alone "
            "are in one — hand over what `lineward token add` printed, and nothing else"
        )
    return bare


def with_token(metadata: Iterable[tuple[str, str | bytes]] | None, token: str) -> list[tuple[str, str | bytes]]:
    """Return a call's metadata with the token; grpc's own call credentials refuse to send one without TLS."""
    return [*(metadata or ()), *([("authorization", f"Bearer {token}")] if token else [])]


def passes(failure: CallError) -> bool:
    """Return whether a stream that failed so may be opened again: the station was away, or had no room."""
    return not isinstance(failure, UntrustedError) and failure.code in (
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    )


def is_repeatable(failure: CallError) -> bool:
    """Return whether a single call that failed so may be made again: what is too large now is so the next time."""
    is_too_much = failure.code is grpc.StatusCode.RESOURCE_EXHAUSTED and failure.retry_after_s is None
    return passes(failure) and not is_too_much


class Repeats:
    """The pauses between the attempts of one call: growing, and never shorter than the station asks for. One thread."""

    def __init__(self, within_s: float, may_repeat: Callable[[CallError], bool] = is_repeatable) -> None:
        """within_s: how long after its first failure the call is made again; 0: not at all."""
        self._within_s = within_s
        self._may_repeat = may_repeat
        self._until_s: float | None = None
        self._pause_s = _FIRST_PAUSE_S

    def worked(self) -> None:
        """Note that the station was there: the next failure is a first one."""
        self._until_s, self._pause_s = None, _FIRST_PAUSE_S

    def pause_s(self, failure: CallError) -> float:
        """Return how long to wait before the next attempt. Raises `failure` where there is none."""
        now_s = time.monotonic()
        if self._until_s is None:
            self._until_s = now_s + self._within_s
        pause_s = max(self._pause_s * random.uniform(0.5, 1.0), failure.retry_after_s or 0.0)
        if not self._may_repeat(failure) or now_s + pause_s > self._until_s:
            raise failure
        self._pause_s = min(self._pause_s * 2, _LAST_PAUSE_S)
        return pause_s


def closed_error(address: str) -> ClosedError:
    """Return the error of a call on a client that was closed."""
    return ClosedError(f"this client of {address} is closed — an open one is needed — make another")


def turn(request: Any, page: Any) -> bool:
    """Make a List request ask for the page after `page`; False after the last."""
    request.page_token = page.next_page_token
    return bool(page.next_page_token)

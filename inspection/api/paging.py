"""Lists in pages: how large one is, and the token of the next, which belongs to one filter."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Sequence
from typing import TypeVar

import grpc
from google.protobuf.message import Message

from inspection.api.errors import RefusedError

DEFAULT_PAGE, MAX_PAGE = 100, 1000
_Item = TypeVar("_Item")
_MARK_BYTES = 6


def page_size(asked: int) -> int:
    """Return how many items a page has. Raises RefusedError (INVALID_ARGUMENT, reason PAGE)."""
    if not 0 <= asked <= MAX_PAGE:
        raise _refused(
            f"page_size is {asked} — 1 to {MAX_PAGE} are allowed — leave it out for {DEFAULT_PAGE}", "page_size"
        )
    return asked or DEFAULT_PAGE


def page_token(last: str, *filters: object) -> str:
    """Return the token of the page behind an item; filters: what the list is of, which the next request must repeat."""
    return base64.urlsafe_b64encode(_mark(filters) + last.encode()).decode()


def page_begin(token: str, *filters: object) -> str:
    """Return the last item of the page before, '' for the first page.

    Raises RefusedError (INVALID_ARGUMENT, reason PAGE) for a token that is none, or one of another filter.
    """
    if not token:
        return ""
    try:
        read = base64.b64decode(token, altchars=b"-_", validate=True)
        mark, last = read[:_MARK_BYTES], read[_MARK_BYTES:].decode()
    except (binascii.Error, ValueError):
        mark, last = b"", ""
    if mark != _mark(filters) or not last:
        raise _refused(
            f"page_token {token[:70]!r} is none of this list — the next_page_token of the page before is, with the "
            "same filter — begin without one",
            "page_token",
        )
    return last


def page_of(
    items: Sequence[_Item], key: Callable[[_Item], str], size: int, token: str, *filters: object
) -> tuple[Sequence[_Item], str]:
    """Return one page of a list that is at hand, and the token of the next; '' behind the last.

    Raises RefusedError (INVALID_ARGUMENT, reason PAGE), also when the item that the token names has gone meanwhile.
    """
    size, last = page_size(size), page_begin(token, *filters)
    start = 0
    if last:
        start = next((place for place, item in enumerate(items, 1) if key(item) == last), 0)
        if not start:
            raise _refused(
                f"page_token {token[:70]!r}: the item that it names has gone — begin without one", "page_token"
            )
    page = items[start : start + size]
    is_last = start + size >= len(items)
    return page, "" if is_last else page_token(key(page[-1]), *filters)


def _mark(filters: tuple[object, ...]) -> bytes:
    """Return a short hash of what a list is of; it keeps mistakes away, not attackers: a token opens nothing."""
    told = hashlib.sha256()
    for one in filters:
        told.update(one.SerializeToString(deterministic=True) if isinstance(one, Message) else repr(one).encode())
        told.update(b"\0")
    return told.digest()[:_MARK_BYTES]


def _refused(text: str, field: str) -> RefusedError:
    return RefusedError(grpc.StatusCode.INVALID_ARGUMENT, "PAGE", text, field=field)

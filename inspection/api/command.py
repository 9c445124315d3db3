"""One command on its way through the server: who asks for what, with which request id, and what the audit log sees."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from inspection.api.callers import Caller
from inspection.api.errors import RefusedError
from inspection.api.roles import Access

REQUEST_ID_HEADER = "x-request-id"
REQUEST_ID_FIELD = "request_id"
_UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)

_MAX_TEXT, _MAX_ITEMS, _MAX_DEPTH = 120, 10, 3
_SECRET = re.compile(r"secret|password|token|credential|private", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Command:
    """Immutable. fingerprint: of method and request; two commands of one id must agree in it."""

    method: str
    access: Access
    caller: Caller
    request_id: str
    fingerprint: str
    summary: dict[str, Any]


def command_of(
    method: str, access: Access, caller: Caller, request: object, metadata: Iterable[tuple[str, str | bytes]]
) -> Command:
    """Return the command that a call asks for. Raises RefusedError (INVALID_ARGUMENT, reason REQUEST_ID).

    request: a message; anything else (a stream of requests) is told by its method alone.
    """
    message = request if isinstance(request, Message) else None
    fingerprint = hashlib.sha256(method.encode() + b"\0" + _told(message)).hexdigest()
    summary = _summary(message, 0) if message is not None else {}
    try:
        request_id = _request_id(message, metadata)
    except RefusedError:
        if not access.stops:  # nothing keeps a stop from being carried out
            raise
        request_id = ""
    return Command(method, access, caller, request_id, fingerprint, summary)


def _told(message: Message | None) -> bytes:
    """Return what a request says, without its id: that may come in the field or beside it, in either case."""
    if message is None:
        return b""
    if REQUEST_ID_FIELD not in message.DESCRIPTOR.fields_by_name:
        return message.SerializeToString(deterministic=True)
    bare = type(message)()
    bare.CopyFrom(message)
    bare.ClearField(REQUEST_ID_FIELD)
    return bare.SerializeToString(deterministic=True)


def refused_id(text: str) -> RefusedError:
    """Return the refusal of a request id."""
    return RefusedError(grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID", text, field=REQUEST_ID_FIELD)


def _request_id(message: Message | None, metadata: Iterable[tuple[str, str | bytes]]) -> str:
    """Return the id in lower case, '' for none; field and metadata may both have it, if they agree."""
    sent = {str(value).lower() for key, value in metadata if key == REQUEST_ID_HEADER}
    if message is not None and REQUEST_ID_FIELD in message.DESCRIPTOR.fields_by_name:
        sent.add(str(getattr(message, REQUEST_ID_FIELD)).lower())
    sent.discard("")
    if not sent:
        return ""
    if len(sent) > 1:
        raise refused_id("this call has two request ids — one is allowed — send it in the field or in the metadata")
    (found,) = sent
    if not _UUID4.fullmatch(found):
        raise refused_id(
            f"the request id {found[:70]!r} is no UUID4 — for example {_EXAMPLE} — make a new one by uuid4"
        )
    return found


_EXAMPLE = "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"


def _summary(message: Message, depth: int) -> dict[str, Any]:
    """Return a message's fields for the audit log: short, without pictures and without secrets."""
    return {field.name: _shown(field, value, depth) for field, value in message.ListFields()}


def _shown(field: FieldDescriptor, value: Any, depth: int) -> Any:
    if _SECRET.search(field.name):
        return "not shown"
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, str):
        return value if len(value) <= _MAX_TEXT else f"{value[:_MAX_TEXT]}…"
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if abs(value) < float("inf") else str(value)  # JSON knows neither NaN nor infinity
    if isinstance(value, Message):
        return _summary(value, depth + 1) if depth < _MAX_DEPTH else "…"
    if hasattr(value, "items"):  # a map
        return f"{len(value)} entries"
    shown = [_shown(field, one, depth) for one in list(value)[:_MAX_ITEMS]]
    return shown if len(value) <= _MAX_ITEMS else [*shown, f"and {len(value) - _MAX_ITEMS} more"]

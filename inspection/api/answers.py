"""How a service method ends: its answer, or a rich error (google.rpc.Status) that says what, why and what to do."""

from __future__ import annotations

import functools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Never, TypeVar

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status
from sqlalchemy.exc import SQLAlchemyError

from inspection.api.errors import DOMAIN, RefusedError
from inspection.control import BusyError, StateError
from inspection.records.errors import RecordLostError, RecordsError

_log = logging.getLogger(__name__)

_RETRY_WHEN_BUSY_S = 0.5
_RETRY_STORE_S = 1.0
_MOST_SENT = 1500

Context = grpc.aio.ServicerContext[Any, Any]
_Service = TypeVar("_Service")
_Request = TypeVar("_Request")
_Response = TypeVar("_Response")


def unary(
    method: Callable[[_Service, _Request, Context], Awaitable[_Response]],
) -> Callable[[_Service, _Request, Context], Awaitable[_Response]]:
    """Make a method that raises domain errors into one that ends the call with a rich error."""

    @functools.wraps(method)
    async def answer(service: _Service, request: _Request, context: Context) -> _Response:
        try:
            return await method(service, request, context)
        except Exception as error:  # noqa: BLE001 - the edge of one call: its client is told
            status = to_status(to_refusal(error))  # not the error: with it the request would stay until the next gc
        return await _abort(context, status)

    return answer


def streaming(
    method: Callable[[_Service, _Request, Context], AsyncIterator[_Response]],
) -> Callable[[_Service, _Request, Context], AsyncIterator[_Response]]:
    """Make a generator that raises domain errors into one that ends the stream with a rich error."""

    @functools.wraps(method)
    async def answer(service: _Service, request: _Request, context: Context) -> AsyncIterator[_Response]:
        try:
            async for response in method(service, request, context):
                yield response
            return
        except Exception as error:  # noqa: BLE001 - the edge of one call: its client is told
            status = to_status(to_refusal(error))
        await _abort(context, status)

    return answer


def to_refusal(error: Exception) -> RefusedError:
    """Return what the client is told about an error; the details of an unexpected one go to the log only."""
    match error:
        case RefusedError():
            return error
        case BusyError():
            return RefusedError(
                grpc.StatusCode.RESOURCE_EXHAUSTED, "BUSY", str(error), retry_after_s=_RETRY_WHEN_BUSY_S
            )
        case DecodeError():
            text = f"this request cannot be read ({error}) — a message as in the proto is needed — compare the versions"
            return RefusedError(grpc.StatusCode.INVALID_ARGUMENT, "REQUEST", text)
        case StateError():
            return RefusedError(grpc.StatusCode.FAILED_PRECONDITION, "STATE", str(error))
        case RecordLostError():
            told = {"row": str(error.row), "cell": error.cell} if error.row else {}
            return RefusedError(grpc.StatusCode.DATA_LOSS, "RECORD", str(error), metadata=told)
        case RecordsError() | SQLAlchemyError():
            return RefusedError(
                grpc.StatusCode.UNAVAILABLE,
                "RECORDS",
                f"the station's records cannot be read now: {error}",
                retry_after_s=_RETRY_STORE_S,
            )
    _log.error("an API call failed unexpectedly", exc_info=error)
    return RefusedError(
        grpc.StatusCode.INTERNAL,
        "INTERNAL",
        f"the station failed on this call ({type(error).__name__}); its log says where — report it with that log",
    )


def to_status(refusal: RefusedError) -> grpc.Status:
    """Return the wire form: code, text, ErrorInfo, and BadRequest or RetryInfo where they apply."""
    code: int = refusal.code.value[0]
    text = _sendable(str(refusal))
    details: list[Message] = [
        error_details_pb2.ErrorInfo(reason=refusal.reason, domain=DOMAIN, metadata=refusal.metadata)
    ]
    if refusal.field:
        violation = error_details_pb2.BadRequest.FieldViolation(field=refusal.field, description=text)
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    if refusal.retry_after_s is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(round(refusal.retry_after_s * 1e9))
        details.append(retry)
    status = status_pb2.Status(code=code, message=text, details=[_packed(detail) for detail in details])
    return rpc_status.to_status(status)


def _sendable(text: str) -> str:
    """Return a text that fits into the trailing metadata, which hold it three times: clients take 8 KiB in all."""
    left = _MOST_SENT
    for place, character in enumerate(text):
        left -= 1 if " " <= character <= "~" else 3 * len(character.encode("utf-8", "replace"))
        if left < 0:
            return f"{text[:place]} …"
    return text


async def _abort(context: Context, status: grpc.Status) -> Never:
    await context.abort(status.code, status.details or "", status.trailing_metadata or ())


def _packed(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed

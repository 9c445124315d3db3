"""A failed call as a person reads it: from grpc's error, with the station's rich details where it sent them."""

from __future__ import annotations

from typing import cast

import grpc
from google.rpc import error_details_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status

from inspection.api.errors import DOMAIN, CallError


def call_error(error: grpc.RpcError, address: str) -> CallError:
    """Return the error of a call to the station at `address`, with reason, metadata and retry time."""
    call = cast(grpc.Call, error)  # every error that a call raises is the call itself, too
    code = call.code()
    details = call.details() or ""
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    status = rpc_status.from_call(call)
    for packed in status.details if status is not None else ():
        packed.Unpack(info)
        packed.Unpack(retry)
    is_ours = info.domain == DOMAIN
    return CallError(
        details if is_ours else _text(code, details, address),
        code,
        reason=info.reason if is_ours else "",
        metadata=info.metadata if is_ours else None,
        retry_after_s=retry.retry_delay.ToTimedelta().total_seconds() if retry.HasField("retry_delay") else None,
    )


def _text(code: grpc.StatusCode, details: str, address: str) -> str:
    match code:
        case grpc.StatusCode.UNAVAILABLE:
            return (
                f"the station at {address} does not answer ({details}) — a running station with its API on is needed — "
                "start it with `lineward run`, or check the address"
            )
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return (
                f"the station at {address} gave no answer in the time allowed — allow more time, or look at its state"
            )
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return (
                f"the station at {address} takes no more ({details}) — api.max_message_mb limits one message, and the "
                "number of calls at a time is limited, too — send less at a time, or raise the limit"
            )
    return f"the station at {address} refused the call: {code.name} {details}"

"""A failed call as a person reads it: from grpc's error, with the station's rich details where it sent them."""

from __future__ import annotations

from typing import cast

import grpc
from google.rpc import error_details_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status

from inspection.api.errors import DOMAIN, CallError, UntrustedError

# What TLS says when the other end could not prove who it is; waiting mends none of these.
_UNTRUSTED = {
    "CERTIFICATE_VERIFY_FAILED": "its certificate is not signed by the CA that this client trusts, or has expired — "
    "the ca.pem is needed that `lineward certificate make` wrote beside the station's certificate — copy it from there",
    "Hostname Verification Check failed": "its certificate was made for other names than this one — `lineward "
    "certificate make` makes one for each --host — add this name there, or call the station by one of them",
    "WRONG_VERSION_NUMBER": "it speaks no TLS, and this client trusts nothing else — [api] tls_certificate and tls_key "
    "are needed in the station's file — set them, or name no CA where the station is on this machine",
    "Failed to create security handshaker": "the CA's file holds no certificate — a PEM file that begins with BEGIN "
    "CERTIFICATE is needed — name the station's ca.pem",
}


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
    untrusted = next((text for word, text in _UNTRUSTED.items() if word in details and not is_ours), "")
    if untrusted:
        return UntrustedError(f"what answers at {address} is not known as the station: {untrusted}", code)
    return CallError(
        details if is_ours else _text(code, details, address),
        code,
        reason=info.reason if is_ours else "",
        metadata=info.metadata if is_ours else None,
        retry_after_s=retry.retry_delay.ToTimedelta().total_seconds() if retry.HasField("retry_delay") else None,
    )


def _text(code: grpc.StatusCode, details: str, address: str) -> str:
    match code:
        case grpc.StatusCode.UNAVAILABLE if "Socket closed" in details:
            return (
                f"the station at {address} closed the connection ({details}) — it has ended, or it wants TLS, or a "
                "client certificate — if it runs, name its CA, and a certificate where it demands one"
            )
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

"""What can go wrong with the API.

ApiError                    anything below; on its own: the API cannot start (port in use) or did not stop in time
├── AddressError            an address that the API must not listen on, or that is none: mend the configuration
├── AccessFileError         the file with the tokens cannot be read or changed: mend it
├── CertificateError        a certificate or key that cannot be used: mend it
├── ClosedError             a call on a client that was closed: make another
├── CallError               a call of the client failed; carries code, reason and metadata as the station gave them
│   └── UntrustedError      nobody knows who answers: the station's certificate is not one that the client trusts
└── RefusedError            a call that the station refuses; carries what becomes a google.rpc.Status
"""

from __future__ import annotations

from collections.abc import Mapping

import grpc

DOMAIN = "lineward.inspection.v1"


class ApiError(Exception):
    """Base of all API errors; `exit_code` is what a command line ends with."""

    exit_code = 1


class AddressError(ApiError):
    """The address is not host:port on the loopback interface."""

    exit_code = 2


class AccessFileError(ApiError):
    """The list of those who may call is not there, open to others, or no such list."""

    exit_code = 2


class CertificateError(ApiError):
    """A certificate or its key cannot be used."""

    exit_code = 2


class ClosedError(ApiError):
    """The client was closed, before the call or while it waited."""


class CallError(ApiError):
    """A call failed. `reason` and `metadata` come from the ErrorInfo, '' and {} where the station sent none."""

    def __init__(
        self,
        text: str,
        code: grpc.StatusCode,
        *,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(text)
        self.code = code
        self.reason = reason
        self.metadata = dict(metadata or {})
        self.retry_after_s = retry_after_s


class UntrustedError(CallError):
    """What answers at the address could not prove that it is the station; nothing was sent to it, the token neither."""


class RefusedError(ApiError):
    """A call that is refused, on its way from a service method to the wire.

    reason: UPPER_CASE, as documented in the proto. field: the request's field that is at fault, '' for none.
    """

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: str,
        text: str,
        *,
        metadata: Mapping[str, str] | None = None,
        field: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(text)
        self.code = code
        self.reason = reason
        self.metadata = dict(metadata or {})
        self.field = field
        self.retry_after_s = retry_after_s

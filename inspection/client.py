"""What an integrator's Python program imports: the station's client, its messages and its errors."""

from inspection.api import v1 as pb
from inspection.api.aio_client import AsyncStationClient
from inspection.api.client import StationClient
from inspection.api.errors import ApiError, CallError, CertificateError, UntrustedError
from inspection.api.token_file import TokenFile

__all__ = [
    "ApiError",
    "AsyncStationClient",
    "CallError",
    "CertificateError",
    "StationClient",
    "TokenFile",
    "UntrustedError",
    "pb",
]

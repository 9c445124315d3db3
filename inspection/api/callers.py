"""Who calls: from a token, a client certificate or the machine's own socket to a name and a role."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache

import grpc
from cryptography import x509

from inspection.api.access import Access
from inspection.api.access_file import AccessEntry, AccessList
from inspection.api.answers import Context
from inspection.api.errors import RefusedError
from inspection.api.roles import Role

LOCAL_NAME = "local"
"""Who calls over the station's own socket: the operator page, and commands of the user who runs the station."""
LOOPBACK_NAME = "loopback"
"""Who calls where no access file is configured, so that only loopback is served."""

_HEADER = "authorization"
_SCHEME = "bearer "
_HOW_TO_GET_ONE = "`lineward token add NAME --role ROLE` on the station makes one"


CALLER: ContextVar[str] = ContextVar("caller", default="")
"""The name of whoever the present call comes from; set by the guard, for the call's own task."""


def caller_name() -> str:
    """Return who the present call comes from, '' outside of one; on the event loop only."""
    return CALLER.get()


@dataclass(frozen=True, slots=True)
class Caller:
    """One caller as a call found it. Immutable.

    key: whose limits count. credential: what to look at again while a stream is open; None where nothing can end.
    """

    name: str
    role: Role | None
    peer: str
    key: str
    credential: AccessEntry | None = None
    certificate_ends_wall_s: float = 0.0


class Callers:
    """Finds out who calls. Owned by the guard; event loop only."""

    def __init__(self, access: Access | None) -> None:
        """access: None where no login is configured; then whoever reaches loopback is the admin."""
        self._access = access

    def identify(self, context: Context) -> Caller:
        """Return who calls. Raises RefusedError: TOKEN_… or CERTIFICATE_UNKNOWN (UNAUTHENTICATED), or ACCESS_FILE."""
        peer = context.peer()
        host = peer_host(peer)
        if peer.startswith("unix:"):
            return Caller(LOCAL_NAME, Role.OPERATOR, "unix", LOCAL_NAME)
        if self._access is None:
            return Caller(LOOPBACK_NAME, Role.ADMIN, host, peer)
        token = _token(context)
        if token is None:
            return self._by_certificate(context, host)
        entry = self._known().of_token(token)
        if entry is None:
            raise _unauthenticated("TOKEN_UNKNOWN", f"this token is not known here (or was revoked); {_HOW_TO_GET_ONE}")
        return self._still(Caller(entry.name, entry.role, host, f"caller {entry.name}", entry))

    def gone(self, caller: Caller) -> RefusedError | None:
        """Return why a caller may not go on: revoked, expired or another role than at the beginning; None if he may."""
        if self._access is None or caller.credential is None:
            return None
        try:
            if caller.credential not in self._known().entries:
                return _unauthenticated(
                    "TOKEN_UNKNOWN", f"{caller.name} was revoked or changed meanwhile; {_HOW_TO_GET_ONE}"
                )
            self._still(caller)
        except RefusedError as refusal:
            return refusal
        return None

    def trouble(self) -> str:
        """Return why the access file cannot be read now, '' where it can or none is configured; from any thread."""
        return "" if self._access is None else self._access.trouble()

    def _known(self) -> AccessList:
        """Return who is known. Raises RefusedError while nobody can be: another token would not help."""
        assert self._access is not None
        known = self._access.now()
        if self._access.trouble():
            raise RefusedError(
                grpc.StatusCode.UNAVAILABLE,
                "ACCESS_FILE",
                "the station cannot read its access file, so it admits nobody — its alarm ACCESS_UNREADABLE and its "
                "log say why — have that mended; no token has to be changed",
            )
        return known

    def _by_certificate(self, context: Context, host: str) -> Caller:
        assert self._access is not None
        name, ends_wall_s = _certificate(context.auth_context())
        if not name:
            raise _unauthenticated(
                "TOKEN_MISSING",
                f"this call has no token — metadata `authorization: Bearer lineward_…` is needed — {_HOW_TO_GET_ONE}",
            )
        entry = self._known().of_certificate(name)
        if entry is None:
            raise _unauthenticated(
                "CERTIFICATE_UNKNOWN",
                f"the client certificate of {name[:70]!r} has no role here — `lineward token add {name[:70]} --role "
                "ROLE --certificate` on the station gives it one",
            )
        return self._still(Caller(entry.name, entry.role, host, f"caller {entry.name}", entry, ends_wall_s))

    @staticmethod
    def _still(caller: Caller) -> Caller:
        now_wall_s = time.time()
        entry = caller.credential
        if entry is not None and entry.has_expired(now_wall_s):
            raise _unauthenticated("TOKEN_EXPIRED", f"the access of {caller.name} has expired; {_HOW_TO_GET_ONE}")
        if caller.certificate_ends_wall_s and now_wall_s >= caller.certificate_ends_wall_s:
            raise _unauthenticated(
                "CERTIFICATE_EXPIRED", f"the client certificate of {caller.name} has expired; renew it"
            )
        return caller


def peer_host(peer: str) -> str:
    """Return grpc's peer (`ipv4:10.0.0.7:51234`) without the port, which is another one for each connection."""
    return peer if peer.startswith("unix:") else peer.rpartition(":")[0]


def metadata_of(context: Context) -> Iterable[tuple[str, str | bytes]]:
    """Return the metadata that a call came with."""
    return context.invocation_metadata() or ()


def _token(context: Context) -> str | None:
    """Return the token that was sent; None for none. Raises RefusedError for two of them, and for other schemes."""
    sent = [value for key, value in metadata_of(context) if key == _HEADER]
    if not sent:
        return None
    if len(sent) > 1 or not isinstance(sent[0], str) or not sent[0].lower().startswith(_SCHEME):
        raise _unauthenticated(
            "TOKEN_UNKNOWN",
            "the authorization of this call is no single `Bearer lineward_…` — exactly that is needed — send one token",
        )
    return sent[0][len(_SCHEME) :].strip()


def _certificate(auth: Mapping[str, Iterable[bytes]]) -> tuple[str, float]:
    """Return common name and end of the client certificate that TLS has verified; ('', 0.0) for none."""
    pem = next(iter(auth.get("x509_pem_cert") or ()), b"")
    return _read_certificate(pem) if pem else ("", 0.0)


@lru_cache(maxsize=256)
def _read_certificate(pem: bytes) -> tuple[str, float]:
    certificate = x509.load_pem_x509_certificate(pem)
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    name = names[0].value if len(names) == 1 else ""
    return (name if isinstance(name, str) else ""), certificate.not_valid_after_utc.timestamp()


def _unauthenticated(reason: str, text: str) -> RefusedError:
    return RefusedError(grpc.StatusCode.UNAUTHENTICATED, reason, text)

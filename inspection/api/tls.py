"""The server's certificate: read, held against its key, and read again when the files were changed."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from inspection.api.errors import CertificateError
from inspection.api.options import SecurityOptions

_log = logging.getLogger(__name__)

WARN_DAYS = 30
_DAY_S = 86_400
_MAX_PEM_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Pair:
    """What a TLS server needs, as bytes of the files. Immutable."""

    certificate: bytes
    key: bytes
    client_ca: bytes | None
    expires: tuple[tuple[Path, float], ...]  # each file with the end of its first certificate to expire

    def has_expired(self, now_wall_s: float) -> bool:
        """Return whether one of them is of no use any more."""
        return any(now_wall_s >= expires_wall_s for _, expires_wall_s in self.expires)

    def trouble(self, now_wall_s: float) -> str:
        """Return which certificate has expired or does so within `WARN_DAYS`; '' while all is well."""
        said = []
        for file, expires_wall_s in self.expires:
            left_days = (expires_wall_s - now_wall_s) / _DAY_S
            if left_days <= 0:
                said.append(f"{file} has expired {_days(-left_days)} ago")
            elif left_days <= WARN_DAYS:
                said.append(f"{file} expires in {_days(left_days)}")
        return "; ".join(said)


def read_pair(options: SecurityOptions) -> Pair:
    """Read certificate, key and client CA. Raises CertificateError; one that has expired is no error (`trouble`)."""
    certificate_file, key_file = options.tls_certificate, options.tls_key
    if certificate_file is None or key_file is None:
        raise CertificateError("there is no TLS certificate — name tls_certificate and tls_key in [api]")
    chain, certificate = read_certificates(certificate_file)
    key = _read(key_file)
    if key_file.stat().st_mode & 0o077:
        raise CertificateError(
            f"{key_file}: has mode {key_file.stat().st_mode & 0o777:04o} — only its owner may read a key (0600) — run: "
            f"chmod 600 {key_file}"
        )
    try:
        public = serialization.load_pem_private_key(key, None).public_key()
    except (ValueError, TypeError) as error:
        raise CertificateError(
            f"{key_file}: is no private key ({error}) — a PEM key without a password is needed — name the right file"
        ) from error
    if _spki(public) != _spki(chain[0].public_key()):
        raise CertificateError(
            f"{key_file}: does not belong to the first certificate in {certificate_file} — the pair must fit — name "
            "the key that the certificate was made with"
        )
    expires = [(certificate_file, _ends(chain))]
    client_ca = None
    if options.client_ca is not None:
        authorities, client_ca = read_certificates(options.client_ca)
        expires.append((options.client_ca, _ends(authorities)))
    return Pair(certificate, key, client_ca, tuple(expires))


def read_certificates(file: Path) -> tuple[list[x509.Certificate], bytes]:
    """Return the certificates of a PEM file and its bytes. Raises CertificateError."""
    data = _read(file)
    try:
        return x509.load_pem_x509_certificates(data), data
    except ValueError as error:
        raise CertificateError(
            f"{file}: holds no certificate ({error}) — PEM certificates are needed — name the right file"
        ) from error


class ServerTls:
    """The credentials of one server. Owned by it; grpc asks for news on threads of its own, before each handshake.

    New files count for the next connection. Files that do not fit together – a renewal that is half copied – are left
    aside with one line in the log, and the pair before them goes on.
    """

    def __init__(self, options: SecurityOptions) -> None:
        """Raises CertificateError."""
        self._options = options
        self._lock = threading.Lock()
        self._stamp = self._look()
        self._pair = read_pair(options)
        if trouble := self._pair.trouble(time.time()):
            _log.warning("TLS of the API: %s; renew it (docs/security.md)", trouble)

    @property
    def credentials(self) -> grpc.ServerCredentials:
        """What grpc listens with."""
        is_mutual = self._options.client_ca is not None
        return grpc.dynamic_ssl_server_credentials(_configuration(self._pair), self._news, is_mutual)

    def trouble(self) -> str:
        """Return what the operator must hear about certificates, '' for nothing; reads the files when they changed."""
        self._refresh()
        return self._pair.trouble(time.time())

    def _news(self) -> grpc.ServerCertificateConfiguration:
        """Return what the next handshake uses: always told, since `trouble` may have read the change before."""
        self._refresh()
        return _configuration(self._pair)

    def _refresh(self) -> None:
        """Take changed files."""
        with self._lock:
            stamp = self._look()
            if stamp != self._stamp:
                self._stamp = stamp
                try:
                    self._pair = read_pair(self._options)
                except CertificateError as error:
                    _log.error("the certificates before go on: %s", error)
                else:
                    _log.info("the certificates of the API were read again")

    def _look(self) -> tuple[object, ...]:
        options = self._options
        stamps: list[object] = []
        for file in (options.tls_certificate, options.tls_key, options.client_ca):
            try:
                found = file.stat() if file is not None else None
            except OSError:
                found = None
            stamps.append(found and (found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode))
        return tuple(stamps)


def _configuration(pair: Pair) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(pair.key, pair.certificate)], pair.client_ca)


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(_MAX_PEM_BYTES)
    except OSError as error:
        raise CertificateError(
            f"{file}: cannot be read ({error.strerror}) — a PEM file is needed — `lineward certificate make` makes one"
        ) from error


def _spki(key: object) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.DER, form)  # type: ignore[attr-defined, no-any-return]


def _ends(certificates: list[x509.Certificate]) -> float:
    return min(one.not_valid_after_utc.timestamp() for one in certificates)


def _days(count: float) -> str:
    whole = int(count)
    return "less than a day" if whole == 0 else "1 day" if whole == 1 else f"{whole} days"
